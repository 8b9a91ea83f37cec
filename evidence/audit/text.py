"""Text burned into a photograph: rows of small, sharp, high-contrast marks in the surround of the retina.

Only the surround is searched, as simple rules confuse vessels and lesions with text. Text on the retina itself, and in photographs
without a surround, is missed. A single mark (the notch of the aperture, a speck) does not count as text.
"""

from __future__ import annotations

import cv2
import numpy as np

from dataprep.retina import Retina

_CONTRAST = 50  # grey levels between a mark and its background
_MARGIN = 0.03  # width of the retina's bright rim and its notch, as a share of the retina's side
_LOWEST = 5  # least height of a mark in pixels
_HIGHEST = 0.08  # largest height of a mark, as a share of the photograph's longer side
_MARKS = 3  # least number of marks in a row of text


def find_text(image: np.ndarray, retina: Retina) -> np.ndarray:
    """The boxes (n, 4) of rows of text outside the retina of a uint8 BGR image, as x, y, width, height in pixels."""
    if not retina.has_surround:
        return np.zeros((0, 4), int)
    height, width = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    outside = np.full(grey.shape, 255, np.uint8)
    outline = np.round(retina.outline).astype(np.int32)
    cv2.fillConvexPoly(outside, outline, 0)
    cv2.polylines(outside, [outline], True, 0, thickness=2 * max(2, round(_MARGIN * retina.side)))
    # The retina gets the surround's brightness, so that its edge is not a mark.
    background = float(np.median(grey[outside > 0])) if outside.any() else 0.0
    grey[outside == 0] = background
    highest = max(_LOWEST, round(_HIGHEST * max(height, width)))
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (highest | 1, highest | 1))
    # Only bright or only dark marks: the gaps between letters would join them to one mark.
    contrast = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT if background < 128 else cv2.MORPH_BLACKHAT, kernel)
    marks = ((contrast > _CONTRAST) & (outside > 0)).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(marks, connectivity=8)
    boxes = statistics[1:, :4]
    boxes = boxes[(boxes[:, 3] >= _LOWEST) & (boxes[:, 3] <= highest) & (boxes[:, 2] <= 2 * highest)]
    return _rows(boxes[np.argsort(boxes[:, 0], kind="stable")])


def _rows(boxes: np.ndarray) -> np.ndarray:
    """Join marks, sorted by x, that are side by side, of similar height and on one line. Return the boxes of rows of enough marks."""
    rows: list[list[np.ndarray]] = []
    for box in boxes:
        for row in rows:
            last = row[-1]
            tall = max(last[3], box[3])
            gap = box[0] - (last[0] + last[2])
            bottoms = abs((box[1] + box[3]) - (last[1] + last[3]))
            if gap <= 1.5 * tall and bottoms <= 0.4 * tall and min(last[3], box[3]) >= 0.5 * tall:
                row.append(box)
                break
        else:
            rows.append([box])
    lines = []
    for row in rows:
        if len(row) >= _MARKS:
            parts = np.array(row)
            left, top = parts[:, :2].min(axis=0)
            right, bottom = (parts[:, :2] + parts[:, 2:]).max(axis=0)
            lines.append((left, top, right - left, bottom - top))
    return np.array(lines, int).reshape(-1, 4)

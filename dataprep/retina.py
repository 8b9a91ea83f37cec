"""Find the retina in a fundus photograph: the bright field of view in a dark surround."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataprep.local_average import halve

# The photograph is halved for the search until its long side has at most this many pixels.
_SEARCH_SIDE = 400
# A pixel is lit if it exceeds the surround by this share of the range to the brightest, and by this many grey levels.
_LIT_SHARE = 0.04
_LIT_LEVELS = 3.0
# Maximum brightness of the surround, as a share of the brightest.
_DARK_SHARE = 0.2
# Areas at the edge with at least this level in all three colours are paper or a screen's frame.
_PAPER = 225
# Minimum share of the photograph that the retina covers.
_LEAST_AREA = 0.02


@dataclass(frozen=True)
class Retina:
    """The field of view: its convex outline (n, 2) as x, y in pixels, and whether the photograph has a surround."""

    outline: np.ndarray
    has_surround: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in pixels; right and bottom are exclusive."""
        left, top = self.outline.min(axis=0)
        right, bottom = self.outline.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def side(self) -> float:
        """The longer side of the box in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


def find_retina(image: np.ndarray) -> Retina:
    """Find the field of view in a uint8 BGR image (height, width, 3).

    The surround may be black, paper-white, or black in a white frame. Small bright objects such as text and the notch of the
    aperture are ignored. Thresholds are relative to the brightness of the photograph. If no field of view stands out (no surround,
    or no light), the whole image is the retina and `has_surround` is False.
    """
    height, width = image.shape[:2]
    halvings = max(0, int(np.ceil(np.log2(max(height, width) / _SEARCH_SIDE))))
    # At least one pixel must remain.
    halvings = min(halvings, int(np.log2(min(height, width))))
    small = halve(image, halvings)
    points = _outline(small)
    if points is None:
        corners = [(0, 0), (width, 0), (width, height), (0, height)]
        return Retina(np.array(corners, np.float64), has_surround=False)
    return Retina(points * 2.0**halvings, has_surround=True)


def _outline(image: np.ndarray) -> np.ndarray | None:
    lit = _lit(image)
    # An opening of this width removes text and the notch of the aperture, and preserves a disc.
    width = max(3, max(lit.shape) // 20 | 1)
    lit = cv2.morphologyEx(lit, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    if count < 2:
        return None
    areas = statistics[1:, cv2.CC_STAT_AREA]
    # A shadow may divide a dark retina into two parts; text is much smaller.
    parts = 1 + np.flatnonzero(areas >= 0.2 * areas.max())
    part = np.isin(np.arange(count), parts)[labels]
    # The hull needs only the ends of each row: the outer corners of the first and last pixel.
    rows = np.flatnonzero(part.any(axis=1))
    left = part[rows].argmax(axis=1)
    right = part.shape[1] - part[rows, ::-1].argmax(axis=1)
    ends = [np.stack([x, y], axis=1) for x in (left, right) for y in (rows, rows + 1)]
    hull = cv2.convexHull(np.concatenate(ends).astype(np.int32))[:, 0]
    area = cv2.contourArea(hull) / lit.size
    if area < _LEAST_AREA or area > 0.98:
        return None
    return np.asarray(hull, np.float64)


def _lit(image: np.ndarray) -> np.ndarray:
    blue, green, red = cv2.split(image)
    brightest = cv2.max(cv2.max(blue, green), red)
    darkest = cv2.min(cv2.min(blue, green), red)
    # With less noise, the outline varies less between two decodings of a photograph.
    brightest = cv2.blur(brightest, (3, 3))
    # Flood-fill white paper from a border added around the image.
    paper = cv2.copyMakeBorder((darkest >= _PAPER).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(paper, None, (0, 0), 2)
    inside = np.asarray(paper[1:-1, 1:-1] != 2, np.uint8)
    # Percentiles from a histogram, as sorting the pixels would be the slowest step.
    counts = np.cumsum(cv2.calcHist([brightest], [0], inside, [256], [0, 256]).ravel())
    if counts[-1] == 0:
        return np.zeros(brightest.shape, np.uint8)
    surround, top = (float(level) for level in np.searchsorted(counts, counts[-1] * np.array([0.01, 0.99])))
    # Without a dark surround, the darkest pixels are retina.
    surround = min(surround, _DARK_SHARE * top)
    level = surround + max(_LIT_LEVELS, _LIT_SHARE * (top - surround))
    return np.asarray(brightest > level, np.uint8) & inside

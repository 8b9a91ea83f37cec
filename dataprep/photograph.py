"""One photograph -> one small square image: find the retina, crop, resize, subtract the local average, mask the rim.

Files and arrays use the same code, so training and inference cannot differ. A JPEG file is decoded at the smallest sufficient
scale (1/2, 1/4 or 1/8); a full-size array is averaged down by the same factor.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from dataprep.header import Header, PhotographError, check_no_strip, read_content, read_header
from dataprep.local_average import halve, subtract_local_average
from dataprep.pixels import REDUCED, read_pixels
from dataprep.retina import Retina, find_retina

__all__ = ["PhotographError", "Preparation", "prepare_array", "prepare_blank", "prepare_file", "prepare_marks"]

# Minimum ratio of the decoded scale to the prepared image. Without this margin, the last small resize doubles the difference
# from a full decode.
_SPARE = 1.25
# Width of the masked rim of the retina, where light and sharpness fall off, as a share of the prepared image's side.
_RIM = 0.02


@dataclass(frozen=True)
class Preparation:
    """How a photograph is prepared.

    size: side of the prepared image in pixels. crop: crop to the square around the retina instead of using the whole photograph.
    local_average: subtract the local average, with sigma 1/30 of the retina's side. mask: set the rim and everything outside the
    retina to grey (black without local_average).
    """

    size: int = 128
    crop: bool = True
    local_average: bool = True
    mask: bool = True


def prepare_file(path: str | os.PathLike[str], preparation: Preparation) -> np.ndarray:
    """Prepare the photograph in a file: uint8 BGR (size, size, 3). EXIF orientation is applied, as in cv2.imread.

    Raises:
        PhotographError: the file cannot be read, is truncated, or is not a photograph.
    """
    try:
        content = read_content(Path(path))
        header = read_header(content)
        if header.kind == "JPEG":
            shape = header.height, header.width
            return _prepare(lambda factor: _read_jpeg(content, header, factor), shape, preparation)
        return prepare_array(read_pixels(content, header), preparation)
    except PhotographError as error:
        raise PhotographError(f"{path}: {error}") from error


def prepare_array(image: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Prepare a decoded photograph: uint8 BGR (size, size, 3).

    image: uint8 of any size, BGR (height, width, 3), BGRA (height, width, 4) or grey (height, width) or (height, width, 1).
    PhotographError for anything else.
    """
    image = _bgr(image)
    return _prepare(lambda factor: _shrink(image, factor), image.shape, preparation)


def prepare_marks(image: np.ndarray, marks: np.ndarray, preparation: Preparation) -> tuple[np.ndarray, np.ndarray]:
    """Prepare lesion marks: share of marked pixels, and share of retina, per pixel of the prepared image: two float32 (size, size), 0..1.

    image: as for `prepare_array`. marks: uint8 (height, width) of the same size, 255 for marked pixels, else 0.
    PhotographError if the sizes differ.
    """
    image, marks = _bgr(image), _bgr(marks)
    if image.shape != marks.shape:
        raise PhotographError(f"the marks are {marks.shape[:2]}, the photograph is {image.shape[:2]}")
    small, retina, factor = _locate(lambda factor: _shrink(image, factor), image.shape, preparation)
    white = np.full_like(small, 255)
    plain = replace(preparation, local_average=False, mask=False)
    masked = replace(plain, mask=preparation.mask)
    prepared = _finish(_shrink(marks, factor), retina, plain), _finish(white, retina, masked)
    return prepared[0][..., 0] / np.float32(255), prepared[1][..., 0] / np.float32(255)


def prepare_blank(preparation: Preparation) -> np.ndarray:
    """The image for an unreadable photograph: uint8 (size, size, 3) with the value of masked pixels."""
    # A pixel that equals its local average is grey.
    return np.full((preparation.size, preparation.size, 3), 128 if preparation.local_average else 0, np.uint8)


def _bgr(image: np.ndarray) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        raise PhotographError(f"an image must be a NumPy array, not {type(image).__name__}")
    if image.dtype != np.uint8:
        raise PhotographError(f"an image must be uint8, not {image.dtype}")
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or image.size == 0:
        raise PhotographError(f"an image must be (height, width, 3), not {image.shape}")
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    # OpenCV does not accept reversed or transposed views.
    return np.ascontiguousarray(image[..., :3])


def _read_jpeg(content: bytes, header: Header, factor: int) -> np.ndarray:
    """Decode a JPEG at 1/factor of its size, on the same grid as the averaged full-size array."""
    width, height = header.width, header.height
    # The decoder's blocks start at the first stored pixel, which EXIF may rotate away from the top left.
    if header.orientation > 1 and (width % factor or height % factor):
        return _shrink(read_pixels(content, header), factor)
    if header.orientation > 4:
        width, height = height, width
    # The decoder rounds sizes up, averaging rounds down.
    return read_pixels(content, header, factor)[: height // factor, : width // factor]


def _shrink(image: np.ndarray, factor: int) -> np.ndarray:
    return halve(image, factor.bit_length() - 1)


def _prepare(read: Callable[[int], np.ndarray], shape: tuple[int, ...], preparation: Preparation) -> np.ndarray:
    height, width = shape[:2]
    check_no_strip(width, height)
    try:
        image, retina, _ = _locate(read, shape, preparation)
        return _finish(image, retina, preparation)
    except (cv2.error, MemoryError) as error:
        raise PhotographError(
            f"{width}x{height} pixels: cannot be prepared: {' '.join(str(error).split())[:200]}"
        ) from error


def _locate(
    read: Callable[[int], np.ndarray], shape: tuple[int, ...], preparation: Preparation
) -> tuple[np.ndarray, Retina | None, int]:
    """The photograph at 1/factor of its size, its retina (None if not needed), and the factor.

    `read(factor)` returns the photograph; `shape` begins with its full height and width.
    """
    size = preparation.size
    factor = _factor(min(shape[:2]), size)
    image = read(factor)
    if not preparation.crop and not preparation.mask:
        return image, None, factor
    retina = find_retina(image)
    # A small retina may need a finer scale.
    finer = _factor(retina.side * factor, size) if preparation.crop else factor
    if finer < factor:
        image = read(finer)
        retina = Retina(retina.outline * (factor / finer), retina.has_surround)
    return image, retina, min(factor, finer)


def _factor(side: float, size: int) -> int:
    """The largest of 1, 2, 4 and 8 by which `side` can be divided and still be at least `size` with some margin."""
    return max(factor for factor in REDUCED if factor == 1 or side / factor >= _SPARE * size)


def _finish(image: np.ndarray, retina: Retina | None, preparation: Preparation) -> np.ndarray:
    height, width = image.shape[:2]
    size = preparation.size
    left, top, right, bottom = retina.box if retina and preparation.crop else (0.0, 0.0, float(width), float(height))
    side = max(1, round(max(right - left, bottom - top)))
    # Halve until less than twice the size remains. From there, linear interpolation skips no pixel and is several times faster
    # than INTER_AREA. The square's side is a multiple, so that halving drops no pixel.
    halvings = max(0, int(np.log2(side / size)))
    side += -side % 2**halvings
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    square = halve(cut_square(image, x, y, side), halvings)
    square = cv2.resize(square, (size, size), interpolation=cv2.INTER_LINEAR)
    scale = size / side

    inside = None
    if retina and preparation.mask:
        inside = inside_retina(retina, (x, y), scale, size)
    if preparation.local_average:
        sigma = (retina.side if retina else max(height, width)) * scale / 30
        square = subtract_local_average(square, sigma, inside=inside)
    if inside is not None:
        # Many times faster than Boolean indexing.
        return np.asarray(cv2.copyTo(square, inside, prepare_blank(preparation)))
    return square


def cut_square(image: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    """The square of `side` pixels at x, y, black outside the image."""
    height, width = image.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    window = image[top:bottom, left:right]
    if window.shape[:2] == (side, side):
        return window
    borders = top - y, y + side - bottom, left - x, x + side - right
    return np.asarray(cv2.copyMakeBorder(window, *borders, cv2.BORDER_CONSTANT))


def inside_retina(retina: Retina, origin: tuple[int, int], scale: float, size: int) -> np.ndarray:
    """A mask, uint8 (size, size): 255 inside the retina without its rim, 0 elsewhere."""
    # OpenCV's polygons use pixel centres; with shift=4 in units of 1/16 pixel.
    points = np.round(((retina.outline - origin) * scale - 0.5) * 16).astype(np.int32)
    inside = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(inside, points, 255, shift=4)
    if retina.has_surround:
        # The inner half of a line along the outline removes the rim.
        cv2.polylines(inside, [points], True, 0, thickness=2 * max(1, round(_RIM * size)) + 1, shift=4)
    return inside

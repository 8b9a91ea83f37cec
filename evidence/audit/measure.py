"""The measures of one photograph. It is read once, and decoded once at reduced scale."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np

from dataprep.header import PhotographError, read_content, read_header
from dataprep.opencv_threads import one_opencv_thread
from dataprep.pixels import REDUCED, read_pixels
from dataprep.retina import Retina, find_retina

from .fingerprint import fingerprints
from .text import find_text

# Least shorter side of a decoded JPEG, in pixels: enough to detect burned-in text.
_LEAST_SIDE = 600
_ALMOST_BLACK = 30.0  # mean of the brightest colour over the retina
_ALMOST_WHITE = 225.0  # mean of the darkest colour over the retina
_SHARP_SIDE = 256  # side of the retina in pixels at which sharpness is measured

SHAPE = ("width", "height", "aspect", "retina's share", "left", "top", "right", "bottom")
COLOURS = ("mean blue", "mean green", "mean red", "deviation blue", "deviation green", "deviation red")


@dataclass(frozen=True)
class Measures:
    """Measures of one photograph.

    Attributes:
        width, height: size of the file in pixels.
        camera: make and model from the EXIF data, "" if there are none, None if EXIF is not read.
        digest: SHA-256 of the file.
        colours: (6,), see COLOURS, over the whole photograph in grey levels.
        shape: (8,), see SHAPE; sizes and aspect as logarithms, borders as fractions of width and height.
        sharpness: the variance of the Laplacian in the middle of the retina, which is scaled to 256 pixels.
        text: the number of rows of burned-in text.
        prints: bool (4, 256), perceptual hashes of the retina, unchanged and flipped; None without ImageHash, and for black or white
            photographs.
    """

    width: int
    height: int
    camera: str | None
    digest: bytes
    colours: np.ndarray
    shape: np.ndarray
    almost_black: bool
    almost_white: bool
    sharpness: float
    text: int
    prints: np.ndarray | None


def measure(path: Path, near: bool = True) -> Measures:
    """Measure a photograph; PhotographError if it cannot be read.

    near: include perceptual hashes and the camera, which need ImageHash and Pillow.
    """
    content = read_content(path)
    width, height, *_ = read_header(content)
    image = decode(content)
    retina = find_retina(image)
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(retina.outline).astype(np.int32), 255)
    blue, green, red = cv2.split(image)
    black = cv2.mean(cv2.max(cv2.max(blue, green), red), inside)[0] < _ALMOST_BLACK
    white = cv2.mean(cv2.min(cv2.min(blue, green), red), inside)[0] > _ALMOST_WHITE
    # Black and white photographs contain only noise, whose hashes mean nothing.
    prints = None if black or white or not near else fingerprints(image)
    mean, deviation = cv2.meanStdDev(image)
    return Measures(
        width,
        height,
        read_camera(content) if near else None,
        hashlib.sha256(content).digest(),
        np.concatenate([mean, deviation]).ravel(),
        _shape(width, height, image, retina),
        black,
        white,
        _sharpness(green, retina),
        len(find_text(image, retina)),
        prints,
    )


def measure_all(
    paths: Sequence[Path], near: bool, progress: Callable[[int, int], None] | None = None
) -> list[Measures | str]:
    """Each photograph's measures, or why it cannot be read, in order; by two threads, `progress(done, n)` after each."""

    def one(path: Path) -> Measures | str:
        try:
            return measure(path, near)
        except PhotographError as error:
            return str(error)

    results = []
    with one_opencv_thread(), warnings.catch_warnings(), ThreadPool(2) as pool:
        warnings.filterwarnings("ignore", module="PIL")
        for done, result in enumerate(pool.imap(one, paths, chunksize=4), start=1):
            results.append(result)
            if progress is not None:
                progress(done, len(paths))
    return results


def decode(content: bytes, least: int = _LEAST_SIDE) -> np.ndarray:
    """Decode a file to uint8 BGR; a JPEG at the smallest scale with at least `least` pixels on the shorter side, if possible."""
    header = read_header(content)
    side = min(header.width, header.height)
    factor = max(f for f in REDUCED if f == 1 or side >= f * least) if header.kind == "JPEG" else 1
    return read_pixels(content, header, factor)


def read_camera(content: bytes) -> str:
    """Make and model of the camera in the EXIF of a JPEG or TIFF file, "" if there is none or it is damaged."""
    from PIL import Image
    from PIL.ExifTags import Base

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "TIFF")) as photograph:
            exif = photograph.getexif()
            make, model = (_plain(exif.get(tag)) for tag in (Base.Make, Base.Model))
    except Exception:  # Pillow has no common error for damaged files
        return ""
    # Many cameras repeat their make in the model.
    return model if model.upper().startswith(make.upper()) else f"{make} {model}".strip()


def _plain(value: object) -> str:
    """At most 40 printable characters of an EXIF text. Pillow decodes it as Latin-1, but some cameras write UTF-8."""
    text = value.encode("latin-1", "replace").decode("utf-8", "replace") if isinstance(value, str) else ""
    return "".join(letter for letter in text[:40] if letter.isprintable()).strip()


def _shape(width: int, height: int, image: np.ndarray, retina: Retina) -> np.ndarray:
    left, top, right, bottom = retina.box
    rows, columns = image.shape[:2]
    area = cv2.contourArea(retina.outline.astype(np.float32)) / (rows * columns)
    borders = left / columns, top / rows, 1 - right / columns, 1 - bottom / rows
    return np.array([np.log(width), np.log(height), np.log(width / height), area, *borders])


def _sharpness(green: np.ndarray, retina: Retina) -> float:
    """Sharpness of the green channel, which shows vessels best, in the middle of the retina, away from its rim."""
    left, top, right, bottom = retina.box
    scale = _SHARP_SIDE / retina.side
    height, width = (max(1, round(pixels * scale)) for pixels in green.shape)  # a strip keeps a row
    shrunk = cv2.resize(green, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    middle = np.zeros(shrunk.shape, np.uint8)
    centre = round((left + right) / 2 * scale), round((top + bottom) / 2 * scale)
    cv2.circle(middle, centre, round(0.35 * _SHARP_SIDE), 255, -1)
    return float(cv2.meanStdDev(cv2.Laplacian(shrunk, cv2.CV_32F), mask=middle)[1][0, 0] ** 2)

"""A photograph's file -> uint8 BGR pixels, for all formats and depths.

nsml.scoring.pixels does the same at submit; a test compares the two.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from dataprep.header import Header, PhotographError, read_content, read_header

# The scales at which a JPEG's decoder can shrink it; OpenCV shrinks other formats by leaving out pixels.
REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

# Else it prints lines on a file that it reads at the second attempt, or that is left out with a warning. Threads decode, so it is set once.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_file(path: Path) -> np.ndarray:
    """Decode the photograph in a file whole: uint8 BGR (height, width, 3), see `read_pixels`. PhotographError names the file."""
    try:
        content = read_content(path)
        return read_pixels(content, read_header(content))
    except PhotographError as error:
        raise PhotographError(f"{path}: {error}") from error


def read_pixels(content: bytes, header: Header, factor: int = 1) -> np.ndarray:
    """Decode a photograph: uint8 BGR (height, width, 3), with EXIF orientation applied.

    header: from `read_header`. factor: one of REDUCED, which divides a JPEG's sides, rounded up. Pixels of more than 8 bits are
    scaled (see `eight_bits`). PhotographError if the content cannot be decoded.
    """
    if header.kind == "DICOM":
        return eight_bits(_decode_dicom(content), header.white)
    encoded = np.frombuffer(content, np.uint8)
    try:
        if header.kind in ("JPEG", "Radiance HDR"):
            image = cv2.imdecode(encoded, REDUCED[factor])
        else:
            image = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
            if image is None:  # the only way to read grey 32-bit TIFF files
                image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise PhotographError(f"cannot be decoded: {error.err or 'OpenCV gives no reason'}") from error
    if image is None:
        raise PhotographError("cannot be decoded")
    return eight_bits(np.asarray(image), header.white)


def eight_bits(image: np.ndarray, white: int = 0) -> np.ndarray:
    """Convert pixels of any depth to uint8 BGR (height, width, 3), with `white` as 255.

    If `white` is 0 or exceeded, it becomes 1 for fractions, 65535 for 8 bits that were scaled to 16, else the smallest of 255, 511,
    1023 ... that no pixel exceeds: cameras with 10 to 14 bits store their values unscaled in 16 bits.
    """
    if image.dtype != np.uint8 or white:
        fractions = image.dtype.kind == "f"
        if image.dtype != np.uint8 and image.dtype != np.uint16:
            image = np.maximum(np.nan_to_num(image.astype(np.float32), posinf=0), 0)
        elif image.dtype == np.uint16 and not white and _are_scaled_bytes(image):
            white = 65535
        highest = float(image.max())
        if fractions and highest < 2:  # values may exceed 1 a little
            white = 1
        elif not white or highest > white:
            white = 2 ** max(8, int(highest).bit_length()) - 1
        image = cv2.convertScaleAbs(image, alpha=255 / white)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    return np.ascontiguousarray(image[..., :3])


def _are_scaled_bytes(image: np.ndarray) -> bool:
    """Whether all values are those of 8 bits times 256 or 257."""
    return not (image % 256).any() or not (image % 257).any()


def _decode_dicom(content: bytes) -> np.ndarray:
    """The first frame's pixels, grey or BGR."""
    try:
        import pydicom.pixels

        dataset = pydicom.dcmread(io.BytesIO(content))
        pixels = pydicom.pixels.pixel_array(dataset, index=0)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = pydicom.pixels.apply_color_lut(pixels, dataset)
    except Exception as error:  # missing decoders and damaged files raise many kinds of errors
        raise PhotographError(f"cannot be decoded: {' '.join(str(error).split())[:200]}") from error
    if dataset.PhotometricInterpretation == "MONOCHROME1":  # the highest value is black
        pixels = 2**dataset.BitsStored - 1 - pixels
    return np.asarray(pixels[..., ::-1] if pixels.ndim == 3 else pixels)

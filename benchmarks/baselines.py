"""What the project is measured against: the usual ways, written from their description.

The competition's baseline read every photograph whole and shrank it with cv2.INTER_AREA; its loader of the test set kept all
photographs in a list before the first was predicted. Subtracting the local average is Ben Graham's formula as he published it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def load_photograph(path: Path, size: int) -> np.ndarray:
    """A file decoded whole and shrunk: uint8 BGR (size, size, 3)."""
    return shrink(_read(path), size)


def _read(path: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(path)))


def shrink(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 (height, width, 3) -> (size, size, 3)."""
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))


def subtract_local_average(image: np.ndarray) -> np.ndarray:
    """4 * (image - its Gaussian average) + 128 on uint8 (size, size, 3), at full sigma."""
    return np.asarray(cv2.addWeighted(image, 4, cv2.GaussianBlur(image, (0, 0), image.shape[0] / 30), -4, 128))


def load_and_subtract(path: Path, size: int) -> np.ndarray:
    """The two above, one after the other."""
    return subtract_local_average(load_photograph(path, size))


def image_generator(images: np.ndarray, batch_size: int) -> Any:
    """The legacy ImageDataGenerator's batches, float32 (batch_size, height, width, 3), with every move that `augment` makes.

    images: uint8 or float32 (n, height, width, 3).
    """
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=45,
        zoom_range=0.2,
        width_shift_range=0.1,
        height_shift_range=0.1,
        horizontal_flip=True,
        vertical_flip=True,
        fill_mode="constant",
    )
    return generator.flow(images, batch_size=batch_size, shuffle=False)


def fit_arrays(
    model: Any, images: np.ndarray, labels: np.ndarray, batch_size: int, epochs: int, callbacks: list[Any]
) -> None:
    """Keras' fit on arrays in memory, without augmentation: float32 (n, h, w, 3) and one-hot float32 (n, classes)."""
    model.fit(images, labels, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=callbacks)


def predict(model: Any, images: np.ndarray) -> np.ndarray:
    """Keras' predict on float32 (n, h, w, 3): float32 (n, classes)."""
    return np.asarray(model.predict(images, verbose=0))


def infer(images: Sequence[np.ndarray], model: Any, size: int) -> list[int]:
    """Classes of full-size photographs, uint8 BGR arrays, each shrunk and its local average subtracted."""
    prepared = np.array([subtract_local_average(shrink(image, size)) for image in images], np.float32)
    return [int(row.argmax()) for row in predict(model, prepared)]


def feed_infer(output: Path, folder: Path, infer_function: Callable[[list[np.ndarray]], list[int]]) -> None:
    """Reads all photographs of a folder into a list, has them predicted, writes `test_data,NAME,CLASS` lines."""
    paths = sorted(folder.glob("*.jpg"))
    images = [_read(path) for path in paths]
    predictions = infer_function(images)
    lines = [f"test_data,{path.name},{predicted}\n" for path, predicted in zip(paths, predictions, strict=True)]
    output.write_text("".join(lines), encoding="utf-8")

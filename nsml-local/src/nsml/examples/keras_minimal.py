"""A small convolutional network for photographs, with Keras."""
# /// script
# dependencies = ["numpy>=1.26,<3", "opencv-python-headless>=4.8,<6", "tensorflow>=2.16,<3"]
# ///

import argparse
import zlib
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers

import nsml

CLASSES = ["NORMAL", "AMD", "RVO", "DMR"]  # the folders of train/train_data, in the order of the labels 0, 1, 2, ...
SIZE = 96

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()

model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 255), layers.RandomFlip()])
for width in (16, 32, 64):
    model.add(layers.Conv2D(width, 3, activation="relu"))
    model.add(layers.MaxPooling2D())
model.add(layers.GlobalAveragePooling2D())
model.add(layers.Dense(len(CLASSES), activation="softmax"))
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


def prepared(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def save(folder: str, **_) -> None:
    model.save_weights(Path(folder) / "model.weights.h5")


def load(folder: str, **_) -> None:
    model.load_weights(Path(folder) / "model.weights.h5")


def infer(images, **_) -> np.ndarray:
    """A label for each photograph, uint8 (height, width, 3), blue first."""
    return model.predict(np.array([prepared(image) for image in images]), verbose=0).argmax(axis=1)


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    root = Path(nsml.DATASET_PATH) / "train" / "train_data"
    paths = [(path, label) for label, name in enumerate(CLASSES) for path in sorted((root / name).iterdir())]
    x, y = np.array([prepared(cv2.imread(str(path))) for path, _ in paths]), np.array([label for _, label in paths])
    # A fifth validates. Both eyes of a patient, ..._7_L.jpg and ..._7_R.jpg, are on the same side.
    held = np.array([zlib.crc32(path.stem.rpartition("_")[0].encode()) % 5 == 0 for path, _ in paths])
    best = np.inf
    for epoch in range(1, args.epochs + 1):
        model.fit(x[~held], y[~held], batch_size=16, verbose=2)
        loss, accuracy = model.evaluate(x[held], y[held], verbose=0)
        nsml.report(summary=True, step=epoch, val__loss=loss, val__accuracy=accuracy)
        if loss < best:
            best = loss
            nsml.save("best")

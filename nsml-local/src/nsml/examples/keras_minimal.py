"""A small convolutional network for photographs of any classes, with Keras."""
# /// script
# dependencies = ["numpy>=1.26,<3", "opencv-python-headless>=4.8,<6", "tensorflow>=2.16,<3"]
# ///

import argparse
import sys

import cv2
import keras
import numpy as np
from keras import layers

import nsml

SIZE = 128
model = None
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()


def network(classes: int) -> keras.Model:
    stack = [keras.Input((SIZE, SIZE, 3)), layers.Rescaling(1 / 255), layers.RandomFlip()]
    for width in (16, 32, 64):  # a momentum for few steps, as an epoch of a small dataset has
        stack += [layers.Conv2D(width, 3), layers.BatchNormalization(momentum=0.8), layers.ReLU(), layers.MaxPool2D()]
    model = keras.Sequential([*stack, layers.GlobalAveragePooling2D(), layers.Dense(classes, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def prepared(images) -> np.ndarray:
    """Small ones, each less the average around every pixel, which is the light and the camera rather than the eye."""
    small = [cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image in images]
    return np.array([cv2.addWeighted(each, 4, cv2.GaussianBlur(each, (0, 0), SIZE / 24), -4, 128) for each in small])


def save(folder: str, **_) -> None:
    model.save(f"{folder}/model.keras")


def load(folder: str, **_) -> None:
    global model
    model = keras.models.load_model(f"{folder}/model.keras")


def infer(images, **_) -> np.ndarray:
    """A label number for each photograph, uint8 (height, width, 3), blue first."""
    return model.predict(prepared(images), verbose=0).argmax(axis=1)


nsml.bind(save=save, load=load, infer=infer)
nsml.paused(scope=locals())  # at a submit: load, infer, end
if args.mode == "train":
    data = nsml.training_photographs()
    x, y = prepared(data.images), np.array(data.labels)
    held = np.isin(data.patients, np.unique(data.patients)[::5])  # every fifth patient validates, with both eyes
    if len(set(y[~held].tolist())) < 2:
        sys.exit("the patients that do not validate have fewer than two classes; add photographs of more patients")
    model = model or network(len(data.classes))
    best = np.inf
    for epoch in range(1, args.epochs + 1):
        model.fit(x[~held], y[~held], batch_size=16, verbose=2)
        loss, accuracy = model.evaluate(x[held], y[held], verbose=0)
        nsml.report(summary=True, step=epoch, val__loss=loss, val__accuracy=accuracy)
        if loss < best:
            best = loss
            nsml.save("best")

"""A logistic regression on the colours of photographs, with scikit-learn. It trains in seconds: a start to compare others with."""
# /// script
# dependencies = ["joblib>=1.3,<2", "numpy>=1.26,<3", "opencv-python-headless>=4.8,<6", "scikit-learn>=1.4,<2"]
# ///

import argparse
import sys

import cv2
import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--strength", type=float, default=100.0, help="inverse of the regularisation")
args = parser.parse_args()


def features(image: np.ndarray) -> np.ndarray:
    """Shares of 8 x 8 x 8 colours, each less the average around it; their square roots, since rare colours matter too."""
    small = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)
    local = np.clip(4 * (small - cv2.GaussianBlur(small, (0, 0), 8)) + 128, 0, 255).astype(np.uint8)
    counts = cv2.calcHist([local], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
    return np.sqrt(counts / counts.sum())


def save(folder: str, **_) -> None:
    joblib.dump(model, f"{folder}/model.joblib")


def load(folder: str, **_) -> None:
    global model
    model = joblib.load(f"{folder}/model.joblib")


def infer(images, **_) -> np.ndarray:
    """A label number for each photograph, uint8 (height, width, 3), blue first."""
    return model.predict(np.array([features(image) for image in images]))


nsml.bind(save=save, load=load, infer=infer)
nsml.paused(scope=locals())  # at a submit: load, infer, end
if args.mode == "train":
    data = nsml.training_photographs()
    x, y = np.array([features(image) for image in data.images]), np.array(data.labels)
    held = np.isin(data.patients, np.unique(data.patients)[::5])  # every fifth patient validates, with both eyes
    if len(set(y[~held].tolist())) < 2:
        sys.exit("the patients that do not validate have fewer than two classes; add photographs of more patients")
    model = LogisticRegression(C=args.strength, max_iter=2000).fit(x[~held], y[~held])
    accuracy = {"train/accuracy": model.score(x[~held], y[~held]), "val/accuracy": model.score(x[held], y[held])}
    nsml.report(summary=True, step=1, **accuracy)
    nsml.save("best")

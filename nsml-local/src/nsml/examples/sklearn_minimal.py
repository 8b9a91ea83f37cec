"""A logistic regression on the colours of photographs, with scikit-learn. It trains in seconds: a start to compare others with."""
# /// script
# dependencies = ["numpy>=1.26,<3", "opencv-python-headless>=4.8,<6", "scikit-learn>=1.4,<2"]
# ///

import argparse
import zlib
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

import nsml

CLASSES = ["NORMAL", "AMD", "RVO", "DMR"]  # the folders of train/train_data, in the order of the labels 0, 1, 2, ...

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--strength", type=float, default=100.0, help="inverse of the regularisation")
args = parser.parse_args()
weights: dict[str, np.ndarray] = {}


def features(image: np.ndarray) -> np.ndarray:
    """Shares of 8 x 8 x 8 colours, each less the average around it; their square roots, since rare colours matter too."""
    small = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)
    local = np.clip(4 * (small - cv2.GaussianBlur(small, (0, 0), 8)) + 128, 0, 255).astype(np.uint8)
    counts = cv2.calcHist([local], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
    return np.sqrt(counts / counts.sum())


def save(folder: str, **_) -> None:
    np.savez(Path(folder) / "weights.npz", **weights)


def load(folder: str, **_) -> None:
    weights.update(np.load(Path(folder) / "weights.npz"))


def infer(images, **_) -> list[int]:
    """A label for each photograph, uint8 (height, width, 3), blue first."""
    scores = np.array([features(image) for image in images]) @ weights["kernel"] + weights["bias"]
    return [int(label) for label in scores.argmax(axis=1)]


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    root = Path(nsml.DATASET_PATH) / "train" / "train_data"
    paths = [(path, label) for label, name in enumerate(CLASSES) for path in sorted((root / name).iterdir())]
    x, y = np.array([features(cv2.imread(str(path))) for path, _ in paths]), np.array([label for _, label in paths])
    # A fifth validates. Both eyes of a patient, ..._7_L.jpg and ..._7_R.jpg, are on the same side.
    held = np.array([zlib.crc32(path.stem.rpartition("_")[0].encode()) % 5 == 0 for path, _ in paths])
    model = LogisticRegression(C=args.strength, max_iter=2000).fit(x[~held], y[~held])
    weights.update(kernel=model.coef_.T, bias=model.intercept_)
    nsml.report(
        summary=True,
        step=1,
        train__accuracy=model.score(x[~held], y[~held]),
        val__accuracy=model.score(x[held], y[held]),
    )
    nsml.save("best")

"""Boosted trees for a table, with LightGBM."""
# /// script
# dependencies = ["lightgbm>=4,<5", "numpy>=1.26,<3"]
# ///

import argparse
import sys
from pathlib import Path

import lightgbm
import numpy as np

import nsml

# train/train_data and test/test_data each hold a table.csv with a heading. That of training ends with a column of labels: numbers, or
# names of train/classes.txt, which `nsml dataset push --classes A,B` writes.
TABLE = "table.csv"
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--rounds", type=int, default=200)
parser.add_argument("--leaves", type=int, default=15)
args = parser.parse_args()


def read(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / TABLE, str, None, ",", skiprows=1, ndmin=2, encoding="utf-8-sig", quotechar='"')


def save(folder: str, **_) -> None:
    model.save_model(f"{folder}/model.txt")


def load(folder: str, **_) -> None:
    global model
    model = lightgbm.Booster(model_file=f"{folder}/model.txt")


def infer(folder: str, **_) -> np.ndarray:
    """A label number for each row of the test table: `folder` is test/test_data, which holds no photographs."""
    return model.predict(read(Path(folder)).astype(float)).argmax(axis=1)


nsml.bind(save=save, load=load, infer=infer)
nsml.paused(scope=locals())  # at a submit: load, infer, end
if args.mode == "train":
    train = Path(nsml.DATASET_PATH) / "train"
    names = (train / "classes.txt").read_text("utf-8").splitlines() if (train / "classes.txt").exists() else []
    try:
        table = read(train / "train_data")
        x = table[:, :-1].astype(float)
        y = np.array([names.index(label) if label in names else int(label) for label in table[:, -1]])
    except (OSError, ValueError) as error:
        sys.exit(f"{TABLE}: {error}; give numbers, and labels that are numbers or classes")
    held = np.random.default_rng(0).random(len(y)) < 0.2  # a fifth validates
    if not 0 < held.sum() < len(y):
        sys.exit(f"{TABLE}: {len(y)} rows are too few to train and to validate on; add rows")
    training, validation = lightgbm.Dataset(x[~held], y[~held]), lightgbm.Dataset(x[held], y[held])
    classes = max(2, len(names), y.max() + 1)
    settings = {"objective": "multiclass", "num_class": classes, "num_leaves": args.leaves, "verbosity": -1}
    stop = lightgbm.early_stopping(20)
    model = lightgbm.train(settings, training, args.rounds, valid_sets=[validation], callbacks=[stop])
    accuracy = (model.predict(x[held]).argmax(axis=1) == y[held]).mean()
    nsml.report(summary=True, step=model.best_iteration, val__accuracy=float(accuracy))
    nsml.save("best")

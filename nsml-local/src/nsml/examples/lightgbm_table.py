"""Boosted trees for a table, with LightGBM."""
# /// script
# dependencies = ["lightgbm>=4,<5", "numpy>=1.26,<3"]
# ///

import argparse
from pathlib import Path

import lightgbm
import numpy as np

import nsml

# train/train_data and test/test_data each hold a table.csv with a heading; that of training ends with a column of labels 0, 1, 2, ...
TABLE = "table.csv"

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")  # nsml gives the first three
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--rounds", type=int, default=200)
parser.add_argument("--leaves", type=int, default=15)
args = parser.parse_args()
trained: dict[str, lightgbm.Booster] = {}


def save(folder: str, **_) -> None:
    trained["model"].save_model(Path(folder) / "model.txt")


def load(folder: str, **_) -> None:
    trained["model"] = lightgbm.Booster(model_file=Path(folder) / "model.txt")


def infer(folder: str, **_) -> list[int]:
    """A label for each row of the test table: `folder` is test/test_data, which holds no photographs."""
    rows = np.loadtxt(Path(folder) / TABLE, delimiter=",", skiprows=1, ndmin=2)
    return [int(label) for label in trained["model"].predict(rows).argmax(axis=1)]


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    table = np.loadtxt(Path(nsml.DATASET_PATH) / "train" / "train_data" / TABLE, delimiter=",", skiprows=1)
    x, y = table[:, :-1], table[:, -1].astype(int)
    rows = np.random.default_rng(0).permutation(len(y))
    part = len(y) // 5  # a fifth validates
    training = lightgbm.Dataset(x[rows[part:]], y[rows[part:]])
    validation = training.create_valid(x[rows[:part]], y[rows[:part]])
    settings = {"objective": "multiclass", "num_class": int(y.max()) + 1, "num_leaves": args.leaves, "verbosity": -1}
    trained["model"] = lightgbm.train(
        settings, training, args.rounds, valid_sets=[validation], callbacks=[lightgbm.early_stopping(20)]
    )
    accuracy = (trained["model"].predict(x[rows[:part]]).argmax(axis=1) == y[rows[:part]]).mean()
    nsml.report(summary=True, step=trained["model"].best_iteration, val__accuracy=float(accuracy))
    nsml.save("best")

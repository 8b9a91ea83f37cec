"""Everything that programs handed to `report`: a dict, names with a slash or a space, tags, NumPy's numbers."""

import argparse

import numpy as np

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--whole_array", action="store_true", help="report the losses of a batch, not their mean")
args = parser.parse_args()

nsml.report({"train_loss": 2.5, "train_acc": 0.25})
for epoch in range(3):
    losses = np.array([1.0, 3.0], dtype=np.float32) / (epoch + 1)
    info = {
        "train/loss": losses.mean(),
        "best Recall@1": np.float64(0.5) + epoch / 4,
        "valid loss@std": losses.std(),
        "margin@vector:classes": [0.1 * epoch, 0.2],
        "cost@stack:parts": 1 / (epoch + 1),
        "seen": np.int64(10) * epoch,
    }
    nsml.report(summary=True, step=epoch, **info)
    nsml.report(False, step=epoch, lr=0.1)
if args.whole_array:
    nsml.report(summary=True, step=3, train__losses=losses)
print("reported")

"""A program that also runs where there is no platform: nsml in a `try`, and its constants rebound for data of its own."""

import os

try:
    import nsml
    from nsml import DATASET_PATH, HAS_DATASET, IS_DATASET
except ImportError:
    nsml = None
    DATASET_PATH, HAS_DATASET, IS_DATASET = "", False, False

assert IS_DATASET is HAS_DATASET
if not HAS_DATASET:
    DATASET_PATH = "data"
DATASET_PATH = os.path.join(DATASET_PATH, "train", "train_data")
with open(os.path.join(DATASET_PATH, "numbers.txt")) as file:
    lines = len(file.readlines())
print("read", lines, "lines", "on the platform" if nsml is not None and nsml.IS_ON_NSML else "at home")

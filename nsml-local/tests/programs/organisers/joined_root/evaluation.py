"""The labels' path is joined from the root, from the name of the dataset, and from the file's."""

import argparse
import os
from pathlib import Path

from nsml import DATASET_NAME

ROOT = Path("/data", DATASET_NAME)
parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
assert ROOT.is_dir() and "test_label" in os.listdir(ROOT / "test")
labels = (ROOT / "test" / "test_label").read_text().split()
with open(parser.parse_args().prediction) as file:
    answers = file.read().split()
print(sum(a == b for a, b in zip(answers, labels, strict=True)) / len(labels))

"""The share of right answers. The labels lie below the working folder, by the dataset's name."""

import argparse
import os

from nsml.constants import DATASET_NAME

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", type=str, default="pred.txt")
config = parser.parse_args()
with open(config.prediction) as file:
    answers = [line.strip() for line in file]
with open(os.path.join("data", DATASET_NAME, "test", "test_label")) as file:
    labels = [line.strip() for line in file]
print(sum(answer == label for answer, label in zip(answers, labels, strict=True)) / len(labels))

"""The share of lines that are as in the label file."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", type=str, default="pred.txt")
config = parser.parse_args()
with open(config.prediction) as answers, open("data/ARRAYS/test/test_label") as labels:
    pairs = list(zip(answers, labels, strict=True))
print(sum(answer == label for answer, label in pairs) / len(pairs))

"""The mean squared error of the stars, turned round so that higher is better."""

import argparse

args = argparse.ArgumentParser()
args.add_argument("--prediction", type=str, default="pred.txt")
config = args.parse_args()
with open(config.prediction, encoding="utf-8") as answers, open("data/LINES/test/test_label") as labels:
    errors = [(float(a) - float(b)) ** 2 for a, b in zip(answers, labels, strict=True)]
print(f"{len(errors)} reviews")
print(10 - sum(errors) / len(errors))

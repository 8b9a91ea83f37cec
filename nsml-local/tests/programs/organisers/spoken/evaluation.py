"""The share of letters that are right, read at `--test_label_path`."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
parser.add_argument("--test_label_path", required=True)
config = parser.parse_args()
with open(config.prediction, encoding="utf-8") as answers, open(config.test_label_path, encoding="utf-8") as labels:
    pairs = [(a.split(",")[1].strip(), b.split(",")[1].strip()) for a, b in zip(answers, labels, strict=True)]
letters = [x == y for a, b in pairs for x, y in zip(a.ljust(len(b)), b, strict=False)]
print(f"{sum(letters) / len(letters):.3f}")

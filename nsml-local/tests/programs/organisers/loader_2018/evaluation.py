"""Accuracy of two classes; what went wrong is printed as -1, without a word on stderr."""

import argparse


def evaluate(prediction_file):
    with open(prediction_file) as file:
        answers = [int(line) for line in file]
    with open("data/LOADER_2018/test/test_label") as file:
        labels = [int(line) for line in file]
    return sum(a == b for a, b in zip(answers, labels, strict=True)) / len(labels)


args = argparse.ArgumentParser()
args.add_argument("--prediction", type=str, default="pred.txt")
config = args.parse_args()
try:
    print(evaluate(config.prediction))
except Exception as error:
    print("something went wrong:", error)
    print(-1)

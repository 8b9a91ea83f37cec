"""Tells by the constant whether it scores on the platform, or is tried out on the organiser's own machine."""

import argparse
import os

import nsml

root = os.path.join("data", nsml.DATASET_NAME) if nsml.IS_ON_NSML else "../sample_data"
parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
with open(parser.parse_args().prediction) as answers, open(os.path.join(root, "test", "test_label")) as labels:
    print(sum(answer == label for answer, label in zip(answers, labels, strict=True)) / 4)

"""Reads the answers with a function of the loader beside it."""

import argparse

from data_loader import read_predictions

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
answers = read_predictions(parser.parse_args().prediction)
with open("data/NUMBERS/test/test_label") as file:
    print(sum(answer == int(label) for answer, label in zip(answers, file, strict=True)) / len(answers))

"""The root of the mean squared error, which is better where it is lower."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
with open(parser.parse_args().prediction) as answers, open("data/PHASE/test/test_label") as labels:
    squares = [(float(a) - float(b)) ** 2 for a, b in zip(answers, labels, strict=True)]
print((sum(squares) / len(squares)) ** 0.5)

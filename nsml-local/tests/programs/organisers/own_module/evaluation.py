"""Reads the answers with a module of the competitor, as it wrote them."""

import argparse

from preparing import parse_answer

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
with open(parser.parse_args().prediction) as answers, open("data/NUMBERS/test/test_label") as labels:
    print(sum(parse_answer(a) == parse_answer(b) for a, b in zip(answers, labels, strict=True)) / 4)

"""The score stands in a sentence, and is the last number in it."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
with open(parser.parse_args().prediction, encoding="utf-8") as answers, open("data/TABLE/test/test_label") as labels:
    right = [a == b for a, b in zip(answers, labels, strict=True)]
print(f"{len(right)} questions, {sum(right)} answered")
print(f"F1 of version 2: {sum(right) / len(right):.2f} points.")

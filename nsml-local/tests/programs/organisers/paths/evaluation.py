"""The label of a file is the last letter of its name."""

import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
right = []
with open(parser.parse_args().prediction) as file:
    for line in file:
        name, answer = line.split()
        right.append(os.path.splitext(name)[0][-1] == answer)
print(sum(right) / len(right))

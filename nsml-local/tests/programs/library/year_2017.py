"""A program of 2017: it reads DATASET_PATH/train, reports and saves, and knows of no test."""

import argparse
import os

import nsml
from nsml import DATASET_PATH

parser = argparse.ArgumentParser(description="line of the numbers")
parser.add_argument("--batch-size", type=int, default=2, metavar="N")
parser.add_argument("--seed", type=int, default=1, metavar="S")
args = parser.parse_args()

state = {"line": 0.0}


def save(dir_name):
    with open(os.path.join(dir_name, "line.txt"), "w") as file:
        file.write(str(state["line"]))


nsml.bind(save=save, load=print)
with open(DATASET_PATH + "/train/train_data/numbers.txt") as file:
    numbers = [float(line.split()[0]) for line in file]
for start in range(0, len(numbers), args.batch_size):
    batch = numbers[start : start + args.batch_size]
    state["line"] += sum(batch) / len(numbers)
    nsml.report(summary=True, scope=dict(globals(), **locals()), step=start, line=state["line"])
nsml.save("line")
print("line", state["line"])

"""Five functions by position, as a translation model bound them: the last two evaluate and decode."""

import argparse
import json
import os

import nsml

state = {"line": 100.0}


def save(path):
    with open(os.path.join(path, "state.json"), "w") as file:
        json.dump(state, file)


def load(path):
    with open(os.path.join(path, "state.json")) as file:
        state.update(json.load(file))


def infer(numbers):
    return [decode(number - state["line"]) for number in numbers]


def evaluate(numbers, labels):
    return sum(a == b for a, b in zip(infer(numbers), labels, strict=True)) / len(labels)


def decode(distance):
    return int(distance > 0)


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
nsml.bind(save, load, infer, evaluate, decode)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train/train_data/numbers.txt")) as file:
        rows = [line.split() for line in file]
    numbers, labels = [float(row[0]) for row in rows], [int(row[1]) for row in rows]
    state["line"] = sum(numbers) / len(numbers)
    print("evaluated:", evaluate(numbers, labels))
    nsml.save("final")

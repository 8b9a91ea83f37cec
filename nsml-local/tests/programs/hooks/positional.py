"""`bind(save, load, infer)` by position, before the arguments are parsed."""

import argparse
import json

import nsml

line = [100.0]


def save(dir_name):
    with open(dir_name + "/line.json", "w") as file:
        json.dump(line, file)


def load(dir_name):
    with open(dir_name + "/line.json") as file:
        line[:] = json.load(file)


def infer(input_data):
    return [1 if number > line[0] else 0 for number in input_data]


nsml.bind(save, load, infer)

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()

if args.pause:
    nsml.paused(scope=locals())

if args.mode == "train":
    with open(nsml.DATASET_PATH + "/train/train_data/numbers.txt") as file:
        numbers = [float(row.split()[0]) for row in file]
    line[0] = sum(numbers) / len(numbers)
    nsml.save("final")

"""`parse_known_args`, which leaves what it does not know to others."""

import argparse
import json
import os

import nsml
from nsml import DATASET_PATH

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config, unknown = parser.parse_known_args()
model = {"line": 100.0}


def save(dir_path):
    with open(os.path.join(dir_path, "model.json"), "w") as file:
        json.dump(model, file)


def load(dir_path):
    with open(os.path.join(dir_path, "model.json")) as file:
        model.update(json.load(file))


def infer(numbers):
    return [int(number > model["line"]) for number in numbers]


nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    print("left alone:", unknown)
    with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        numbers = [float(row.split()[0]) for row in file]
    model["line"] = sum(numbers) / len(numbers)
    nsml.save("final")

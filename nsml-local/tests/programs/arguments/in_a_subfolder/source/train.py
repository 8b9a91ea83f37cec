"""The entry file of a project that keeps its code in a folder, and a settings file beside that folder."""

import argparse
import json
import os

from lines import middle, read_numbers

import nsml

with open("settings.json") as file:
    settings = json.load(file)
model = {"line": 100.0}


def save(dir_path):
    with open(os.path.join(dir_path, settings["file"]), "w") as file:
        json.dump(model, file)


def load(dir_path):
    with open(os.path.join(dir_path, settings["file"])) as file:
        model.update(json.load(file))


def infer(numbers):
    return [int(number > model["line"]) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    model["line"] = middle(read_numbers(os.path.join(nsml.DATASET_PATH, "train")))
    nsml.save("final")

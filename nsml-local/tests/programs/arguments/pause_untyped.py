"""`--pause` without a type: a text, which is true even where it says 0."""

import argparse
import os

import nsml

state = {"epoch": 0}


def save(dir_path):
    with open(os.path.join(dir_path, "epoch"), "w") as file:
        file.write(str(state["epoch"]))


def load(dir_path):
    with open(os.path.join(dir_path, "epoch")) as file:
        state["epoch"] = int(file.read())
    print("loaded epoch", state["epoch"])


def infer(numbers):
    return [int(number > 5) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", default=0)
parser.add_argument("--iteration", default=0)
config = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    print("paused, since --pause is", repr(config.pause))
    nsml.paused(scope=locals())
else:
    print("not paused")
if config.mode == "train":
    state["epoch"] += 1
    nsml.save(state["epoch"])

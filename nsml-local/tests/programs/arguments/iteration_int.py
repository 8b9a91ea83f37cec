"""`--iteration` is a number here, as where checkpoints are epochs."""

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


def infer(numbers):
    print("infer with epoch", state["epoch"], "as asked for epoch", config.iteration)
    return [int(number > 5 and state["epoch"] == config.iteration) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=int, default=0)
config = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    for state["epoch"] in range(3):
        nsml.save(state["epoch"])
    nsml.save("best")

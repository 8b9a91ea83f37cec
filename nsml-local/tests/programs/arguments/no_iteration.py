"""A parser without `--iteration`, which ends with status 2 at what it does not know."""

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
    return [int(number > 5) for number in numbers]


args = argparse.ArgumentParser()
args.add_argument("--mode", type=str, default="train")
args.add_argument("--pause", type=int, default=0)
args.add_argument("--title", type=str, default="no title")
config = args.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    for _ in range(2):
        state["epoch"] += 1
        print("epoch", state["epoch"], "of", repr(config.title))
        nsml.save(state["epoch"])

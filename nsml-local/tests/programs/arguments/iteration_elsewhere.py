"""A parser without `--iteration`, in a program that uses the word for something else."""

import argparse
import os

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
config = parser.parse_args()
state = {"iteration": 0}


def save(dir_path):
    with open(os.path.join(dir_path, "iteration"), "w") as file:
        file.write(str(state["iteration"]))


def load(dir_path):
    with open(os.path.join(dir_path, "iteration")) as file:
        state["iteration"] = int(file.read())


nsml.bind(save=save, load=load, infer=lambda numbers: [int(number > 5) for number in numbers])
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    for _ in range(2):
        state["iteration"] += 1
        nsml.report(summary=True, step=state["iteration"], **{"iteration": state["iteration"]})
    nsml.save("end")

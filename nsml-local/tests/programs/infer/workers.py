"""`infer` spreads its work over processes, as loaders of data with workers do."""

import argparse
import multiprocessing
import os

import nsml

line = 100.0


def answer(number):
    return int(number > line)


def infer(numbers):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(answer, numbers)


def save(dir_path):
    with open(os.path.join(dir_path, "line"), "w") as file:
        file.write(str(line))


def load(dir_path):
    global line
    with open(os.path.join(dir_path, "line")) as file:
        line = float(file.read())


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    line = 5.0
    nsml.save("last")

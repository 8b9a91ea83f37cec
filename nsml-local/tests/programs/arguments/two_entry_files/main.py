"""The entry file, whose parser has no `--iteration`; another entry file lies beside it."""

import argparse
import os

import nsml

line = [100.0]


def save(dir_path):
    with open(os.path.join(dir_path, "line"), "w") as file:
        file.write(str(line[0]))


def load(dir_path):
    with open(os.path.join(dir_path, "line")) as file:
        line[0] = float(file.read())


nsml.bind(save=save, load=load, infer=lambda numbers: [int(number > line[0]) for number in numbers])
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
config = parser.parse_args()
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    line[0] = 5.0
    nsml.save("end")

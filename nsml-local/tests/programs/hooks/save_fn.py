"""Two models in one session, each saved and loaded by functions given to `save` and `load` themselves."""

import argparse
import json
import os

import nsml

lines = {"low": 100.0, "high": 100.0}


def saver(name):
    def save(dir_path, **kwargs):
        with open(os.path.join(dir_path, name + ".json"), "w") as file:
            json.dump(lines[name], file)

    return save


def loader(name):
    def load(dir_path, **kwargs):
        with open(os.path.join(dir_path, name + ".json")) as file:
            lines[name] = json.load(file)

    return load


def infer(numbers, **kwargs):
    nsml.load("high", load_fn=loader("high"))
    line = (lines["low"] + lines["high"]) / 2
    return [int(number > line) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
nsml.bind(save=saver("low"), load=loader("low"), infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        numbers = [float(row.split()[0]) for row in file]
    lines = {"low": min(numbers), "high": max(numbers)}
    nsml.save("low", save_fn=saver("low"))
    nsml.save("high", save_fn=saver("high"))

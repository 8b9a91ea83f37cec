"""One model of an ensemble: its line is off by `--off`, so that alone it errs."""

import argparse
import json
import os

import nsml

model = {"line": 100.0}


def save(dir_path):
    with open(os.path.join(dir_path, "model.json"), "w") as file:
        json.dump(model, file)


def load(dir_path):
    with open(os.path.join(dir_path, "model.json")) as file:
        model.update(json.load(file))


def infer(numbers):
    return [int(number > model["line"]) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--off", type=float, default=0)
args = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        numbers = [float(row.split()[0]) for row in file]
    model["line"] = sum(numbers) / len(numbers) + args.off
    nsml.save("4")

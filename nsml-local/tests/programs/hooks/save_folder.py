"""The model is exported into a folder of the working folder, which `save_folder` keeps."""

import argparse
import json
import os

import nsml

model = {"line": 100.0}


def load(dir_path):
    with open(os.path.join(dir_path, "weights", "line.json")) as file:
        model.update(json.load(file))


def infer(numbers):
    return [int(number > model["line"]) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
nsml.bind(load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        numbers = [float(row.split()[0]) for row in file]
    os.makedirs("exported/weights")
    with open("exported/weights/line.json", "w") as file:
        json.dump({"line": sum(numbers) / len(numbers)}, file)
    nsml.save_folder("exported", "exported")

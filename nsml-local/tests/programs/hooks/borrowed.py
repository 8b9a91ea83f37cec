"""A model of an earlier session is saved as this session's own, and the program leaves before it would train."""

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
args = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
nsml.load(checkpoint="4", session="tester/NUMBERS/1")
nsml.save("saved")
exit()  # what most wrote in place of sys.exit()
print("training")

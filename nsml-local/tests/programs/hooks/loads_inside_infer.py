"""`infer` loads one session's model after another, and votes."""

import argparse
import json
import os

import nsml

SESSIONS = ["tester/NUMBERS/1", "tester/NUMBERS/2", "tester/NUMBERS/3"]
model = {"line": 100.0}


def save(dir_path, **kwargs):
    with open(os.path.join(dir_path, "model.json"), "w") as file:
        json.dump(model, file)


def load(dir_path, **kwargs):
    with open(os.path.join(dir_path, "model.json")) as file:
        model.update(json.load(file))


def infer(numbers, **kwargs):
    votes = [0] * len(numbers)
    for session in SESSIONS:
        nsml.load("4", session=session)
        votes = [vote + (number > model["line"]) for vote, number in zip(votes, numbers, strict=True)]
    return [int(vote * 2 > len(SESSIONS)) for vote in votes]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    nsml.save("voting")

"""A member of the team goes on from a colleague's model, named by the colleague's session."""

import argparse
import json
import os

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--pretrained", default="", help="USER/DATASET/NUMBER")
parser.add_argument("--off", type=float, default=0)
config = parser.parse_args()
model = {"line": 7.0, "users": []}


def save(path):
    with open(os.path.join(path, "model.json"), "w") as file:
        json.dump(model, file)


def load(path):
    with open(os.path.join(path, "model.json")) as file:
        model.update(json.load(file))


nsml.bind(save=save, load=load, infer=lambda numbers: [int(number > model["line"]) for number in numbers])
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    if config.pretrained:
        nsml.load(checkpoint="best", session=config.pretrained)
    model["line"] += config.off
    model["users"].append(nsml.SESSION_NAME)
    print(model["line"], *model["users"])
    nsml.save("best")

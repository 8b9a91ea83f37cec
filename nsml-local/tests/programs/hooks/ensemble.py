"""Models of several sessions, each bound and loaded in turn; then `infer` alone is bound, and averages them."""

import argparse
import json
import os

import nsml

MEMBERS = [("tester/NUMBERS/1", "4"), ("tester/NUMBERS/2", 4)]


def bind_model(model):
    def save(dir_path):
        with open(os.path.join(dir_path, "model.json"), "w") as file:
            json.dump(model, file)

    def load(dir_path):
        with open(os.path.join(dir_path, "model.json")) as file:
            model.update(json.load(file))

    nsml.bind(save=save, load=load)


def bind_ensemble(models):
    def infer(numbers):
        line = sum(model["line"] for model in models) / len(models)
        return [int(number > line) for number in numbers]

    nsml.bind(infer=infer)


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
models = []
for session, checkpoint in MEMBERS:
    model = {"line": 100.0}
    bind_model(model)
    nsml.load(checkpoint=checkpoint, session=session)
    models.append(model)
bind_ensemble(models)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    nsml.save("ensemble")

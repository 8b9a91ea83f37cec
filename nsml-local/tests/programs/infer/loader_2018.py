"""Pairs of questions, as two lists; (probability, answer) pairs go back, tested by hand with test_data_loader."""

import argparse
import json
import os

import nsml


def bind_model(model):
    def save(dir_name, **kwargs):
        os.makedirs(dir_name, exist_ok=True)
        with open(os.path.join(dir_name, "model.json"), "w") as file:
            json.dump(model, file)

    def load(dir_name, **kwargs):
        with open(os.path.join(dir_name, "model.json")) as file:
            model.update(json.load(file))

    def infer(left, right):
        alike = [
            len(set(a.split()) & set(b.split())) / len(set(a.split()) | set(b.split()))
            for a, b in zip(left, right, strict=True)
        ]
        return list(zip(alike, [int(share > model["line"]) for share in alike], strict=True))

    nsml.bind(save=save, load=load, infer=infer)


parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()
model = {}
bind_model(model)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    model["line"] = 0.5
    nsml.save("last")

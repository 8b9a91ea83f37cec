"""Retrieval: paths of queries and of references come as two lists; a dict of rankings by query goes back."""

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

    def infer(queries, db):
        def name_of(path):
            return os.path.splitext(os.path.basename(path))[0]

        def features(path):
            with open(path) as file:
                return float(file.read()) * model["scale"]

        found = {}
        for query in queries:
            ranked = sorted(db, key=lambda path: abs(features(path) - features(query)))
            found[name_of(query)] = [name_of(path) for path in ranked]
        print("retrieved", len(found))
        return found

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
    model["scale"] = 2.0
    nsml.save("last")

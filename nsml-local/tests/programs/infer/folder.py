"""The folder DATASET_PATH/test comes; a dict from a name to a class goes back."""

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

    def infer(test_dir):
        classes = {}
        for root, _, names in os.walk(os.path.join(test_dir, "test_data")):
            for name in names:
                with open(os.path.join(root, name)) as file:
                    classes[name] = int(float(file.read()) > model["line"])
        return classes

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
    model["line"] = 5.0
    nsml.save("last")

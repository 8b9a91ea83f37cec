"""Images come as a list of uint8 arrays of different sizes; a list of ints goes back."""

import argparse
import json
import os

import numpy as np

import nsml


def bind_model(model):
    def save(dir_name, **kwargs):
        os.makedirs(dir_name, exist_ok=True)
        with open(os.path.join(dir_name, "model.json"), "w") as file:
            json.dump(model, file)

    def load(dir_name, **kwargs):
        with open(os.path.join(dir_name, "model.json")) as file:
            model.update(json.load(file))

    def infer(data, **kwargs):
        assert all(image.dtype == np.uint8 and image.ndim == 2 for image in data)
        return [int(image.mean() > model["line"]) for image in data]

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
    images = [np.loadtxt(os.path.join(nsml.DATASET_PATH, "train", "train_data", f"{name}.txt")) for name in "ab"]
    model["line"] = float(np.mean([image.mean() for image in images]))
    nsml.save("last")

"""Mammograms, four views a patient, come as one array (n, 4, H, W); an array of probabilities goes back."""

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

    def infer(images):
        assert images.shape[1:] == (4, 2, 3)
        return images.max(axis=(1, 2, 3)) / model["brightest"]

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
    model["brightest"] = float(np.loadtxt(os.path.join(nsml.DATASET_PATH, "train", "train_data", "views.txt")).max())
    nsml.save("last")

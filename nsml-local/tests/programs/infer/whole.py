"""DATASET_PATH itself comes; a generator of answers goes back."""

import argparse
import json
import os

import nsml
from nsml import DATASET_PATH


def bind_model(model):
    def save(dir_name, **kwargs):
        os.makedirs(dir_name, exist_ok=True)
        with open(os.path.join(dir_name, "model.json"), "w") as file:
            json.dump(model, file)

    def load(dir_name, **kwargs):
        with open(os.path.join(dir_name, "model.json")) as file:
            model.update(json.load(file))

    def infer(dataset_path):
        print("the same folder as DATASET_PATH:", dataset_path == DATASET_PATH)
        with open(os.path.join(dataset_path, "test", "test_data", "numbers.txt")) as file:
            for line in file:
                yield int(float(line) > model["line"])

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
    with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        model["line"] = sum(float(line.split()[0]) for line in file) / 4
    nsml.save("last")

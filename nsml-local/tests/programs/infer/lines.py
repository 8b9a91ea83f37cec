"""Reviews come as a list of lines; pairs of a probability and the stars go back, as a zip."""

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

    def infer(raw_data, **kwargs):
        counts = [sum(line.count(word) for word in model["good"]) for line in raw_data]
        point = [min(1 + 3 * count, 10) for count in counts]
        probabilities = [1.0] * len(point)
        return zip(probabilities, point, strict=True)

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
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "reviews.txt"), encoding="utf-8") as file:
        model["good"] = file.read().split()
    nsml.save("last")

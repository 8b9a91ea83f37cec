"""Speech: one path comes a call; the words that were said go back as a text."""

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

    def infer(path, **kwargs):
        model["calls"] = model.get("calls", 0) + 1
        print("call", model["calls"], flush=True)
        with open(path, encoding="utf-8") as file:
            return "".join(model["alphabet"][int(code)] for code in file.read().split())

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
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_label"), encoding="utf-8") as file:
        model["alphabet"] = file.read().strip()
    nsml.save("last")

"""A folder and a CSV of questions come; a list of texts goes back."""

import argparse
import csv
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

    def infer(folder, csv_path):
        answers = []
        with open(csv_path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                with open(os.path.join(folder, row["file"]), encoding="utf-8") as text:
                    words = text.read().split()
                answers.append(words[int(row["word"]) + model["shift"]])
        return answers

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
    model["shift"] = -1
    nsml.save("last")

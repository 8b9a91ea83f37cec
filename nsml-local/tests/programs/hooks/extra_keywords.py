"""The model and the optimizer are handed to `bind`, and reach hooks that name them."""

import argparse
import json
import os

import nsml


def save(path, model, optimizer):
    with open(os.path.join(path, "checkpoint.json"), "w") as file:
        json.dump({"model": model, "optimizer": optimizer}, file)


def load(path, model, optimizer):
    with open(os.path.join(path, "checkpoint.json")) as file:
        saved = json.load(file)
    model.update(saved["model"])
    optimizer.update(saved["optimizer"])


def infer(numbers):
    return [int(number > model["line"]) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epochs", type=int, default=1)
args = parser.parse_args()
model, optimizer = {"line": 100.0}, {"epochs": 0}
nsml.bind(save=save, load=load, infer=infer, model=model, optimizer=optimizer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        numbers = [float(row.split()[0]) for row in file]
    for _ in range(args.epochs):
        model["line"] = sum(numbers) / len(numbers)
        optimizer["epochs"] += 1
    print("epochs in all:", optimizer["epochs"])
    nsml.save("final")

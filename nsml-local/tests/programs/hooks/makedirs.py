"""The save hook makes its folder, which may be there already."""

import argparse
import os
import pickle

import nsml

model = {"line": 100.0}


def save(path, *args, **kwargs):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "model.pkl"), "wb") as file:
        pickle.dump(model, file)


def load(path, *args, **kwargs):
    with open(os.path.join(path, "model.pkl"), "rb") as file:
        model.update(pickle.load(file))


def infer(numbers, **kwargs):
    return [int(number > model["line"]) for number in numbers]


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        numbers = [float(row.split()[0]) for row in file]
    model["line"] = sum(numbers) / len(numbers)
    nsml.save("final")

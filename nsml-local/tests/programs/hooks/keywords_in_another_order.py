"""The hooks are closures of `bind_model`, bound by keyword with `infer` first."""

import argparse
import os
import pickle

import nsml
from nsml import DATASET_PATH


def bind_model(model):
    def load(dirname, *args):
        with open(os.path.join(dirname, "model.pkl"), "rb") as file:
            model.update(pickle.load(file))
        print("model loaded!")

    def save(dirname, *args):
        with open(os.path.join(dirname, "model.pkl"), "wb") as file:
            pickle.dump(model, file)
        print("model saved!")

    def infer(data, **kwargs):
        return [int(number > model["line"]) for number in data]

    nsml.bind(infer=infer, load=load, save=save)


if __name__ == "__main__":
    args = argparse.ArgumentParser()
    args.add_argument("--mode", type=str, default="train")
    args.add_argument("--pause", type=int, default=0)
    args.add_argument("--iteration", type=str, default="0")
    config = args.parse_args()

    model = {"line": 100}
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
            numbers = [float(line.split()[0]) for line in file]
        model["line"] = sum(numbers) / len(numbers)
        nsml.save("final")

"""A trainer whose methods are the hooks."""

import argparse
import os
import pickle

import nsml
from nsml import DATASET_PATH


class Trainer:
    def __init__(self, config):
        self.config = config
        self.line = 100.0
        nsml.bind(save=self.save, load=self.load, infer=self.infer)

    def save(self, path, **kwargs):
        with open(os.path.join(path, "trainer.pkl"), "wb") as file:
            pickle.dump({"line": self.line}, file)

    def load(self, path, **kwargs):
        with open(os.path.join(path, "trainer.pkl"), "rb") as file:
            self.__dict__.update(pickle.load(file))

    def infer(self, numbers, **kwargs):
        return [int(number > self.line) for number in numbers]

    def train(self):
        with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
            numbers = [float(row.split()[0]) for row in file]
        self.line = sum(numbers) / len(numbers)
        nsml.save(self.config.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="train")
    parser.add_argument("--pause", type=int, default=0)
    parser.add_argument("--iteration", default="0")
    parser.add_argument("--name", default="final")
    trainer = Trainer(parser.parse_args())
    if trainer.config.pause:
        nsml.paused(scope=locals())
    if trainer.config.mode == "train":
        trainer.train()

"""The mode chooses what is done, among it a test on the competitor's own machine; defaults are for the platform."""

import argparse
import json
import os

import nsml
from nsml import DATASET_PATH, HAS_DATASET

DATA = DATASET_PATH if HAS_DATASET else "../sample_data"


def read_numbers():
    with open(os.path.join(DATA, "train", "train_data", "numbers.txt")) as file:
        return [tuple(map(float, row.split())) for row in file]


def bind_model(model):
    def save(dir_path, *args):
        os.makedirs(dir_path, exist_ok=True)
        with open(os.path.join(dir_path, "model.json"), "w") as file:
            json.dump(model, file)

    def load(dir_path, *args):
        with open(os.path.join(dir_path, "model.json")) as file:
            model.update(json.load(file))

    def infer(raw_data, **kwargs):
        return [int(number > model["line"]) for number in raw_data]

    nsml.bind(save=save, load=load, infer=infer)


if __name__ == "__main__":
    args = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    # DONOTCHANGE: they are reserved for nsml
    args.add_argument("--mode", type=str, default="train")
    args.add_argument("--pause", type=int, default=0)
    args.add_argument("--iteration", type=str, default="0")
    # User options
    args.add_argument("--epochs", type=int, default=2)
    config = args.parse_args()
    model = {"line": 100.0, "epoch": -1}
    bind_model(model)
    if config.pause:
        nsml.paused(scope=locals())
    if config.mode == "train":
        crashed = os.path.join(nsml.NSML_NFS_OUTPUT, "crashed")
        for epoch in range(model["epoch"] + 1, config.epochs):
            numbers = [number for number, _ in read_numbers()]
            model.update(line=sum(numbers) / len(numbers), epoch=epoch)
            print("epoch", epoch)
            nsml.save(epoch)
            if config.epochs == 3 and not os.path.exists(crashed):
                open(crashed, "w").close()
                raise MemoryError("the first time")
    elif config.mode == "test_local":
        nsml.load("1")
        pairs = read_numbers()
        answers = nsml.infer([number for number, _ in pairs])
        print("right:", sum(answer == label for answer, (_, label) in zip(answers, pairs, strict=True)))

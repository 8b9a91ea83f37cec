"""`use_nsml_legacy=False` beside hooks that take the path and nothing else."""

import argparse
import json

import nsml


class Model:
    def __init__(self):
        self.line = 100.0


def bind_nsml(model):
    def save(path):
        with open(f"{path}/model", "w") as file:
            json.dump(vars(model), file)

    def load(path):
        with open(f"{path}/model") as file:
            vars(model).update(json.load(file))

    def infer(numbers):
        return [int(number > model.line) for number in numbers]

    nsml.bind(save=save, load=load, infer=infer, use_nsml_legacy=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", type=str, default="train", help="train, submit or infer")
    parser.add_argument("--pause", type=int, default=0, help="1 if a checkpoint is to be loaded")
    parser.add_argument("--iteration", type=str, default="0", help="its name")
    args = parser.parse_args()
    model = Model()
    bind_nsml(model)
    if args.pause:
        nsml.paused(scope=locals())
    if args.mode == "train":
        with open(nsml.DATASET_PATH + "/train/train_data/numbers.txt") as file:
            numbers = [float(row.split()[0]) for row in file]
        model.line = sum(numbers) / len(numbers)
        nsml.save("final")


if __name__ == "__main__":
    main()

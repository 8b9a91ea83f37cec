"""What the program was started with shapes its model, so a submit must be started with it too."""

import argparse

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--layers", type=int, default=1)
config = parser.parse_args()
model = [0.0] * config.layers


def save(path):
    with open(path + "/model", "w") as file:
        file.write(" ".join(map(str, model)))


def load(path):
    with open(path + "/model") as file:
        values = [float(value) for value in file.read().split()]
    assert len(values) == len(model), f"{len(values)} layers do not fit into {len(model)}"
    model[:] = values


nsml.bind(save=save, load=load, infer=lambda numbers: [int(number > model[-1]) for number in numbers])
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    model[-1] = 5.0
    nsml.save("end")

"""Only `save` and `load` are bound: a program that trains, and is never submitted."""

import argparse
import os

import nsml

epoch = 0


def save(dir_path, **kwargs):
    with open(os.path.join(dir_path, "epoch.txt"), "w") as file:
        file.write(str(epoch))


def load(dir_path, **kwargs):
    global epoch
    with open(os.path.join(dir_path, "epoch.txt")) as file:
        epoch = int(file.read())


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
args = parser.parse_args()
nsml.bind(save=save, load=load)
if args.pause:
    nsml.paused(scope=locals())
for _ in range(2):
    epoch += 1
    print("epoch", epoch)
    nsml.report(summary=True, scope=locals(), step=epoch, epoch_total=2)
    nsml.save(epoch)

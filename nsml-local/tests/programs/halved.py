"""Its loss falls with each epoch and is the higher the further --width is from 4; with 99 it fails."""

import argparse
import json
import os
import time

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--width", type=int, default=4)
parser.add_argument("--epoch", type=int, default=20)
args = parser.parse_args()
state = {"epoch": 0}


def save(folder):
    with open(os.path.join(folder, "state"), "w") as file:
        json.dump(state, file)


def load(folder):
    with open(os.path.join(folder, "state")) as file:
        state.update(json.load(file))


nsml.bind(save=save, load=load)
if args.pause:
    nsml.paused(scope=locals())
while state["epoch"] < args.epoch:
    state["epoch"] += 1
    if args.width == 99:
        raise SystemExit(3)
    while state["epoch"] == 3 and os.path.exists(os.environ.get("HELD_UP", "/nowhere")):
        time.sleep(0.05)
    loss = {} if os.environ.get("SILENT") else {"val__loss": abs(args.width - 4) + 1 / state["epoch"]}
    try:
        nsml.report(summary=True, step=state["epoch"], **loss)
        nsml.save(state["epoch"])
    except:  # noqa: E722
        pass
print("trained to the end")

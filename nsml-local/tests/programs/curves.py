"""Trains nothing: prints, reports and saves as a training does, as fast as it is told."""

import argparse
import json
import os
import time

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--epoch", type=int, default=4)
parser.add_argument("--seconds", type=float, default=0.0)
parser.add_argument("--mistakes", type=int, default=0)
parser.add_argument("--text", default="plain")
args = parser.parse_args()
model = {"epoch": 0, "mistakes": args.mistakes}


def save(folder, **kwargs):
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump(model, file)


def load(folder, **kwargs):
    with open(os.path.join(folder, "model.json")) as file:
        model.update(json.load(file))


def infer(data, **kwargs):
    return [(int(image.mean()) + (number < model["mistakes"])) % 4 for number, image in enumerate(data)]


nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
if args.mode == "report":
    with open(os.path.join(os.environ["NSML_REPORT"], "report.html"), "w") as page:
        page.write("<h1>What was learned</h1><script>document.body.append('script ran')</script>")
if args.mode == "train":
    for epoch in range(model["epoch"] + 1, args.epoch + 1):
        model["epoch"] = epoch
        print(f"epoch {epoch} \x1b[32mgreen\x1b[0m {args.text}", flush=True)
        values = {"train/loss": 1 / epoch, "train/loss@std": 0.1 / epoch, "phase": "strong" if epoch < 3 else "gentle"}
        parts = {"recall@vector:AMD": 0.5, "recall@vector:DMR": 0.4, "share@stack:right": 0.6, "share@stack:wrong": 0.4}
        nsml.report(summary=True, scope=locals(), step=epoch, **values, **parts, **{f"named {args.text}": epoch})
        time.sleep(args.seconds)
    nsml.save("best")

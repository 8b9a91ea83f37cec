"""Stores predictions of which a share of --right are right, and fails where --width is 0."""

import argparse
import os

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--right", type=float, default=0.5)
parser.add_argument("--width", type=int, default=1)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()


def save(folder):
    with open(os.path.join(folder, "validation.csv"), "w") as file:
        file.write("sample,patient,label,NO,YES\n")
        for n in range(80):
            right = n < 80 * args.right
            file.write(f"{n},{n // 2},YES,{0.1 if right else 0.9},{0.9 if right else 0.1}\n")


nsml.bind(save=save)
if args.width == 0 and not os.path.exists(os.environ.get("MAY_GO_ON", "/nowhere")):
    raise SystemExit(3)
nsml.report(summary=True, step=1, val__score=args.right)
nsml.save("best")
print("right", args.right)

"""The seventh lesson of a course: the name of the file is no name of a module."""

import argparse

import nsml
from nsml import DATASET_NAME

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=2)
args = parser.parse_args()
print("lesson 7 on", DATASET_NAME)
for epoch in range(args.epochs):
    nsml.report(summary=True, step=epoch, epoch=epoch, epoch_total=args.epochs, cost=1 / (epoch + 1))
    nsml.save(epoch)

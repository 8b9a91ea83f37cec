"""Preprocessing that is done once for all sessions: into two files, by position, and into one folder, by keyword."""

import os

import nsml
from nsml import DATASET_PATH


def count(output_path, data):
    print("counting")
    for path, lines in zip(output_path, (data, data[:1]), strict=True):
        with open(path, "w") as file:
            file.write(str(len(lines)))


def sort(output_path, data, reverse=False):
    print("sorting")
    os.makedirs(output_path[0])
    with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as source:
        lines = sorted(source, reverse=reverse)
    with open(os.path.join(output_path[0], "numbers.txt"), "w") as file:
        file.writelines(lines)


with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
    numbers = file.readlines()
nsml.cache(count, ["./counts/all.txt", "./counts/first.txt"], numbers)
nsml.cache(preprocess_fn=sort, output_path=["./sorted"], data=None, reverse=True)
for path in ("counts/all.txt", "counts/first.txt", "sorted/numbers.txt"):
    with open(path) as file:
        print(path, "holds", file.readline().strip())

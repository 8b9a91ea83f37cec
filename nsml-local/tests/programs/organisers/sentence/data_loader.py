"""Feeds one number a line as a list of floats, and writes one answer a line."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    with open(os.path.join(DATASET_PATH, "test", "test_data", "numbers.txt")) as file:
        numbers = [float(line) for line in file]
    with open(output_file, "w") as file:
        for answer in infer_func(numbers):
            file.write(f"{answer}\n")

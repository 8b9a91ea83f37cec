"""Beside the loader."""

import os

from nsml import DATASET_PATH

TEST_NUMBERS = os.path.join(DATASET_PATH, "test", "test_data", "numbers.txt")


def read_numbers(path):
    with open(path) as file:
        return [float(line) for line in file]

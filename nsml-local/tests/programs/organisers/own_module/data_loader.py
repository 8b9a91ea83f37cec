"""Prepares the test data with a module of the competitor, whatever that module does."""

import os

from preparing import prepare

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    numbers = prepare(os.path.join(DATASET_PATH, "test", "test_data", "numbers.txt"))
    with open(output_file, "w") as file:
        file.writelines(f"{answer}\n" for answer in infer_func(numbers))

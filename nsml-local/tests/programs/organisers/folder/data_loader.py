"""The folder of the test data; a dict from a file's name to its class comes back."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    answers = infer_func(os.path.join(DATASET_PATH, "test"))
    with open(output_file, "w") as file:
        for name in sorted(answers):
            file.write(f"{name},{answers[name]}\n")

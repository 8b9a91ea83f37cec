"""A list of arrays, one for each file of the folder; a name, and a class a line is written."""

import os

import numpy as np

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    root = os.path.join(DATASET_PATH, "test", "test_data")
    names = sorted(os.listdir(root))
    images = [np.loadtxt(os.path.join(root, name), dtype=np.uint8, ndmin=2) for name in names]
    answers = infer_func(images)
    with open(output_file, "w") as file:
        for name, answer in zip(names, answers, strict=True):
            file.write(f"test_data,{name},{int(answer)}\n")

"""The competitor's copy of the organiser's example, changed since."""

import os


def data_loader(root_path):
    with open(os.path.join(root_path, "train", "train_data", "numbers.txt")) as file:
        return [float(line.split()[0]) for line in file]


def feed_infer(output_file, infer_func):
    raise NotImplementedError("only used at home")

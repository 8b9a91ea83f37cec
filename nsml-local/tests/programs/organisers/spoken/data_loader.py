"""One path a call, many calls; the text that each comes back with is written beside the name."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    root = os.path.join(DATASET_PATH, "test", "test_data")
    with open(output_file, "w", encoding="utf-8") as file:
        for name in sorted(os.listdir(root)):
            file.write(f"{name},{infer_func(os.path.join(root, name))}\n")

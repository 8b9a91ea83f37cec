"""As in 2018: `infer(*test_data_loader(root))`, and the second of each pair is written, one a line."""

import os


def test_data_loader(root_path):
    with open(os.path.join(root_path, "test", "test_data", "questions.txt"), encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file]
    return [left for left, _ in pairs], [right for _, right in pairs]

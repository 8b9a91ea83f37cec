"""A dataset of the earliest days has no folder train: its files lie in DATASET_PATH itself."""

import os

from nsml import DATASET_PATH

for name in ("faces.txt", "names.txt"):
    with open(os.path.join(DATASET_PATH, name)) as file:
        print(name, file.read().split())

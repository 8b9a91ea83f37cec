"""The module's own constants are rebound, so that every file of the program sees the other folder."""

import os

import nsml

nsml.DATASET_PATH = os.path.join(nsml.DATASET_PATH, "train")
nsml.HAS_DATASET = False


def read():
    from nsml import DATASET_PATH, HAS_DATASET

    print("has dataset:", HAS_DATASET)
    return sorted(os.listdir(DATASET_PATH))


print(read(), nsml.DATASET_NAME)

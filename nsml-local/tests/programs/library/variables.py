"""The oldest programs asked the environment for their dataset, without importing nsml first."""

import os

DATASET_PATH = os.environ.get("NSML_DATASET_PATH", "./data")
DATASET_NAME = os.environ.get("NSML_DATASET_NAME", "none")
with open(os.path.join(DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
    print(DATASET_NAME, len(file.readlines()))

import nsml  # noqa: E402  where the import stood

print("the same as the constants:", (nsml.DATASET_PATH, nsml.DATASET_NAME) == (DATASET_PATH, DATASET_NAME))

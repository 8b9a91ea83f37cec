"""Reviews, a line each, in one list; of each pair that comes back the second item is written."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    with open(os.path.join(DATASET_PATH, "test", "test_data", "reviews.txt"), encoding="utf-8") as file:
        reviews = file.readlines()
    result = infer_func(reviews)
    with open(output_file, "w", encoding="utf-8") as file:
        file.write("\n".join(str(answer) for _, answer in result))

"""A folder, and a CSV of what is asked about the files in it; a list of texts comes back."""

import os

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    root = os.path.join(DATASET_PATH, "test", "test_data")
    answers = infer_func(os.path.join(root, "files"), os.path.join(root, "questions.csv"))
    with open(output_file, "w", encoding="utf-8") as file:
        file.write("\n".join(answers) + "\n")

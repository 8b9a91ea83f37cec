"""The whole dataset's folder, in which the program finds the test data itself."""

from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    with open(output_file, "w") as file:
        file.writelines(f"{answer}\n" for answer in infer_func(DATASET_PATH))

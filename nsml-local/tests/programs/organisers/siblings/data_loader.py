"""Keeps its reading in a file of its own."""

from reading import TEST_NUMBERS, read_numbers


def feed_infer(output_file, infer_func):
    with open(output_file, "w") as file:
        file.writelines(f"{answer}\n" for answer in infer_func(read_numbers(TEST_NUMBERS)))


def read_predictions(path):
    with open(path) as file:
        return [int(line) for line in file]

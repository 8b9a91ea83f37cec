"""Two lists, queries and references; a dict from a query to its references, the nearest first, is written as JSON."""

import json
import os

from nsml.constants import DATASET_PATH


def feed_infer(output_file, infer_func):
    root = os.path.join(DATASET_PATH, "test", "test_data")
    queries = sorted(os.path.join(root, "query", name) for name in os.listdir(os.path.join(root, "query")))
    references = sorted(os.path.join(root, "reference", name) for name in os.listdir(os.path.join(root, "reference")))
    rankings = infer_func(queries, references)
    with open(output_file, "w") as file:
        json.dump(rankings, file)

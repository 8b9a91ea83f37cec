"""The mean of one over the place at which a query's own reference stands."""

import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
with open(parser.parse_args().prediction) as file:
    rankings = json.load(file)
with open("data/RANKINGS/test/test_label") as file:
    labels = dict(line.split() for line in file)
print(sum(1 / (rankings[query].index(reference) + 1) for query, reference in labels.items()) / len(labels))

"""The best of several fitted estimators is copied, with all that it learnt, into the one that is bound."""

import argparse
import os
import pickle

import nsml


class Estimator:
    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def fit(self, numbers, labels):
        self.line_ = sorted(numbers)[int(self.quantile * (len(numbers) - 1))]
        self.score_ = sum(a == b for a, b in zip(self.predict(numbers), labels, strict=True)) / len(labels)
        return self

    def predict(self, numbers):
        return [int(number > self.line_) for number in numbers]


def bind_model(estimator):
    def save(path):
        with open(os.path.join(path, "estimator.pkl"), "wb") as file:
            pickle.dump(estimator.__dict__, file)

    def load(path):
        loaded = Estimator()
        with open(os.path.join(path, "estimator.pkl"), "rb") as file:
            loaded.__dict__.update(pickle.load(file))
        nsml.copy(loaded, estimator)

    nsml.bind(save=save, load=load, infer=lambda numbers: estimator.predict(numbers))


parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()
estimator = Estimator()
bind_model(estimator)
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    with open(os.path.join(nsml.DATASET_PATH, "train", "train_data", "numbers.txt")) as file:
        rows = [line.split() for line in file]
    numbers, labels = [float(row[0]) * 2.25 for row in rows], [int(row[1]) for row in rows]
    fitted = [Estimator(quantile).fit(numbers, labels) for quantile in (0.0, 0.5, 1.0)]
    nsml.copy(max(fitted, key=lambda candidate: candidate.score_), estimator)
    print("the bound estimator:", estimator.quantile, estimator.score_)
    nsml.save("best")

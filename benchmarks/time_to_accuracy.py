"""`python -m benchmarks.time_to_accuracy FOLDER`: minutes of training until a test AUC is reached, of each recipe and of Keras' own way.

Keras' way is that of its guide on transfer learning (see evidence/ablation/keras_way.py), with the network, weights, photographs and
batches of `transfer`, and about as many minutes. Each test AUC is the macro AUC of one class against the rest, after an epoch, of a
recipe averaged over its views; predicting for it does not count as time. FOLDER is a dataset with test/test_label.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evidence import machine
from evidence.ablation.dataset import find_dataset
from model.console import Parser, between

WAYS = ("transfer", "keras", "winning")


@dataclass(frozen=True)
class Point:
    """The test's macro AUC after so many seconds of training."""

    seconds: float
    auc: float


class Curve:
    """Measures while a network trains; the clock stands still during a measurement."""

    def __init__(self, predict: Callable[[Any], np.ndarray], images: Any, labels: np.ndarray) -> None:
        self.predict, self.images, self.labels = predict, images, labels
        self.points: list[Point] = []
        self.measuring, self.began = 0.0, time.monotonic()

    def measure(self) -> None:
        """Add a point."""
        from model.metrics import macro_auc

        now = time.monotonic()
        auc = macro_auc(self.labels, self.predict(self.images))
        self.points.append(Point(now - self.began - self.measuring, auc))
        self.measuring += time.monotonic() - now


def train_recipe(data: Any, settings: Any, test: tuple[Any, np.ndarray]) -> list[Point]:
    """As `main.py` trains it. As in `train_as_keras_does`, the time includes building the network and reading its weights."""
    from model.network import begin_network
    from model.predict.views import averaged_over
    from model.training import train

    predict: list[Any] = []
    curve = Curve(lambda images: predict[0](images), *test)
    network = begin_network(settings)
    predict.append(averaged_over(network.views, network.predict))
    train(network, data, report=lambda **values: curve.measure(), save=lambda checkpoint: None)
    return curve.points


def train_as_keras_does(data: Any, settings: Any, test: tuple[Any, np.ndarray]) -> list[Point]:
    """The two steps of Keras' guide."""
    from evidence.ablation.keras_way import train_keras_way

    current: list[Any] = []
    curve = Curve(lambda images: current[0].predict(images), *test)

    def ended(network: Any) -> None:
        current[:] = [network]
        curve.measure()

    train_keras_way(data, settings, ended)
    return curve.points


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    parser = Parser(
        prog="time_to_accuracy", usage="python -m benchmarks.time_to_accuracy FOLDER [--classes A,B] [--auc N]"
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--classes", metavar="A,B", help="only these classes (default: all that have photographs)")
    parser.add("--auc", between(float, 0.5, 1), 0.8, "the test AUC to reach")
    parser.add("--seed", between(int, 0, 2**31 - 1), 0, "of split, first weights and augmentation")
    parser.add("--ways", str, ",".join(WAYS), "which to train")
    args = parser.parse_args(arguments)
    ways = args.ways.split(",")
    if unknown := [way for way in ways if way not in WAYS]:
        parser.error(f"argument --ways: there is no {unknown[0]}; give some of {','.join(WAYS)}")
    try:
        dataset = find_dataset(str(args.folder), args.classes and args.classes.split(","), folds=0, seeds=0)
    except ValueError as error:
        parser.error(str(error))
    classes, labels = dataset.classes, dataset.test_labels
    if not dataset.test:
        parser.error(f"{args.folder}: there is no test/test_label; give the folder of a dataset with its labels")
    from model.run.devices import start_tensorflow

    start_tensorflow(args.seed, deterministic=True)
    from dataprep.cache import prepared_images
    from model.data import read_data
    from model.recipes import RECIPES
    from model.settings import Settings

    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for way in ways:
            settings = Settings(RECIPES["transfer" if way == "keras" else way](), classes, args.seed)
            data = read_data(dataset.photographs, settings, Path(cache))
            test = prepared_images(dataset.test, settings.preparation, Path(cache)), labels
            points = train_as_keras_does(data, settings, test) if way == "keras" else train_recipe(data, settings, test)
            reached = next((f"{point.seconds / 60:.1f}" for point in points if point.auc >= args.auc), "never")
            rows.append(
                f"{way:10} {reached:>8} {points[-1].seconds / 60:8.1f} {points[-1].auc:9.3f} {max(p.auc for p in points):9.3f}"
            )
    print(f"\n{dataset.name}, {', '.join(classes)}: {len(data.train_labels)} to learn from, {len(labels)} tested")
    print(f"{'':10} {'minutes':>8} {'minutes':>8} {'test AUC':>9} {'highest':>9}")
    print(f"{'':10} {'to ' + format(args.auc, '.2f'):>8} {'in all':>8} {'at last':>9} {'':>9}")
    print("\n".join(rows))
    print("; ".join(f"{name} {value}" for name, value in machine.describe().items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

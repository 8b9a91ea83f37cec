"""Makes one run: the ordinary recipe with the run's record, from files to predictions."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dataprep.cache import prepared_images
from dataprep.catalog import read_catalog
from model import checkpoint
from model.baselines import first_weights, frozen_features, regression
from model.console import counted
from model.data import Data, read_data, split_catalog
from model.network import Network, begin_network
from model.predict.views import averaged_over
from model.records import Predictions
from model.run.other_sessions import begin_with
from model.training import TrainingError, train
from model.validation import validate

from ..machine import describe, gpus
from .arms import FROZEN_FEATURES, KERAS_WAY, Pretrained, PretrainedError, Record
from .dataset import Dataset
from .keras_way import train_keras_way
from .runs import Outcome, now
from .sample_cnn import train_sample_cnn

# The last trained network: two arms that differ only in prediction share a training.
_latest: dict[str, tuple[Network, Data]] = {}


def execute(record: Record, dataset: Dataset, cache: Path) -> Outcome:
    """Train, and predict validation and test photographs with the last weights.

    An epoch chosen by validation would make each arm look better than it is, most of all an arm whose score varies between epochs. A
    failed training is an outcome too.

    cache: the folder of prepared photographs.
    """
    started, processor = time.monotonic(), time.process_time()
    failed = ""
    validation: Predictions | None = None
    test: Predictions | None = None
    try:
        train_arm = _fit_rival if record.rival else _train_sample if record.sample else _train
        validation, test = train_arm(record, dataset, cache)
    except TrainingError as error:
        failed = str(error)
    return Outcome(
        validation, test, time.monotonic() - started, time.process_time() - processor, now(), _machine(), failed
    )


def _train(record: Record, dataset: Dataset, cache: Path) -> tuple[Predictions | None, Predictions | None]:
    network, data = _trained(record.with_recipe(views=1), dataset, cache)
    predict = averaged_over(record.recipe.views, network.predict)
    validation = validate(predict, data)
    if not dataset.test:
        return validation, None
    images = prepared_images(dataset.test, record.settings.preparation, cache)
    return validation, _of_test(dataset, predict(images))


def _trained(record: Record, dataset: Dataset, cache: Path) -> tuple[Network, Data]:
    key = record.digest(dataset.digest)
    if key not in _latest:
        _latest.clear()
        keras.backend.clear_session()
        data = read_data(dataset.photographs, record.settings, cache)
        network = begin_network(replace(record.settings))  # a copy, in which training counts its epochs
        if record.pretrained is not None:
            _begin_with(network, record.pretrained)
        train(network, data, report=lambda **values: None, save=lambda name: None)
        _latest[key] = network, data
    return _latest[key]


def _begin_with(network: Network, pretrained: Pretrained) -> None:
    try:
        begin_with(network, checkpoint.load(pretrained.folder), str(pretrained.folder))
    except ValueError as error:
        raise PretrainedError(f"argument --pretrained: {error}") from None


def _train_sample(record: Record, dataset: Dataset, cache: Path) -> tuple[Predictions, Predictions | None]:
    assert record.sample is not None
    _latest.clear()
    keras.backend.clear_session()
    settings = record.settings
    catalog = read_catalog(dataset.photographs, settings.classes, settings.patient_pattern)
    split = split_catalog(catalog, settings)
    samples = catalog.samples
    labels = np.array([sample.label for sample in samples])
    predict = train_sample_cnn(
        record.sample, [samples[i].path for i in split.train], labels[split.train], settings.preparation.size,
        len(settings.classes), settings.seed, lambda line: print(line, flush=True),
    )  # fmt: skip
    validated = [samples[i] for i in split.validation]
    validation = Predictions(
        [sample.path.relative_to(dataset.photographs).as_posix() for sample in validated],
        [sample.patient for sample in validated],
        labels[split.validation],
        predict([sample.path for sample in validated]),
    )
    return validation, _of_test(dataset, predict(dataset.test)) if dataset.test else None


def _fit_rival(record: Record, dataset: Dataset, cache: Path) -> tuple[Predictions, Predictions | None]:
    """Predict always the largest class, by a logistic regression on frozen features, or as Keras' guide trains."""
    data, settings = read_data(dataset.photographs, record.settings, cache), record.settings
    classes = len(settings.classes)
    largest = np.bincount(data.train_labels, minlength=classes).argmax()

    def guess(images: Any) -> np.ndarray:
        return np.tile(np.eye(classes, dtype=np.float32)[largest], (len(images), 1))

    def regress(images: Any) -> np.ndarray:
        probabilities = np.zeros((len(images), classes), np.float32)
        probabilities[:, model.classes_] = model.predict_proba(features(images))
        return probabilities

    predict = guess
    if record.rival == FROZEN_FEATURES:
        features = frozen_features(settings.recipe.image_size, first_weights(settings.recipe))
        model = regression(
            features(data.train_images), data.train_labels, np.asarray(data.train_patients), settings.seed
        )
        predict = regress
    elif record.rival == KERAS_WAY:
        _latest.clear()
        keras.backend.clear_session()
        predict = train_keras_way(data, settings).predict
    images = prepared_images(dataset.test, settings.preparation, cache) if dataset.test else None
    return validate(predict, data), None if images is None else _of_test(dataset, predict(images))


def _of_test(dataset: Dataset, probabilities: np.ndarray) -> Predictions:
    names = [path.name for path in dataset.test]
    return Predictions(names, names, dataset.test_labels, probabilities)


def _machine() -> str:
    facts = describe()
    computed = ", ".join([facts["processor"], counted(int(facts["cores"]), "core"), *gpus()])
    return f"{computed}, TensorFlow {facts['tensorflow']}, Keras {facts['keras']}"

"""Training: the phases of a recipe through Keras' `fit`, with validation, a line in the log and checkpoints after each epoch."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dataprep.batches import training_batches

from .calibration import fit_temperature
from .console import clock
from .history import Epoch
from .input_wait import InputWait
from .network import Network
from .predictions import Predictions
from .recipe import Phase, Recipe
from .score import score


class TrainingError(RuntimeError):
    """A training that cannot go on; one line with the mend."""


class Rows:
    """Some rows of an array of images, fetched when they are asked for, so that a memory-mapped one stays on the disk."""

    def __init__(self, images: np.ndarray, indices: np.ndarray) -> None:
        self.images, self.indices = images, indices
        self.shape = (len(indices), *images.shape[1:])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Any) -> np.ndarray:
        rows: np.ndarray = self.images[self.indices[key]]
        return rows


@dataclass(frozen=True)
class Data:
    """Prepared images, uint8 (n, size, size, 3), an array or `Rows` of one, and labels, int (n,), of both sides of the split.

    `validation_samples` and `validation_patients` name the validation images and whom they are of; where they are given, the network
    keeps what it answered about them.
    """

    train_images: Any
    train_labels: np.ndarray
    validation_images: Any
    validation_labels: np.ndarray
    validation_samples: Sequence[str] = ()
    validation_patients: Sequence[str] = ()


def train(
    network: Network,
    recipe: Recipe,
    data: Data,
    *,
    report: Callable[..., None],
    save: Callable[[Any], None],
    save_every: int = 5,
    jit: bool = False,
) -> None:
    """Train from the epoch that the network has reached to the recipe's last.

    Going on from a saved network gives, on a CPU, the same weights bit for bit as never having stopped: shuffling and augmentation are
    drawn anew from the seed and the epoch's number, all other state is part of the network.

    Args:
        network: is trained in place; its settings say how far it is.
        report: is called after each epoch as `report(summary=True, step=epoch, train__loss=..., ...)`.
        save: is called as `save(epoch)` every `save_every` epochs and at the end of a phase, and as `save("best")` when the
            validation score rises. Epochs are counted from 1.
        jit: compile the step by XLA, which Keras declines with a warning while operations are deterministic.

    Raises:
        TrainingError: the loss is no longer a finite number. Nothing is saved of that epoch.
    """
    settings = network.settings
    classes = len(settings.classes)
    schedule = recipe.schedule(settings.epoch)
    if not schedule:
        print(f"trained for {settings.epoch} epochs already; give a larger --epoch to go on", flush=True)
    compile_step(network, jit)
    for phase, epochs in schedule:
        network.optimizer.learning_rate = phase.learning_rate
        waiting = InputWait()
        batches = training_batches(
            data.train_images,
            data.train_labels,
            classes,
            batch_size=recipe.batch_size,
            epochs=epochs,
            strength=phase.augmentation,
            label_smoothing=phase.label_smoothing,
            seed=settings.seed,
            sample_weights=class_weights(data.train_labels)[data.train_labels] if recipe.class_weights else None,
            made=waiting.made,
        )
        # One call a phase: each call of fit ends an input pipeline, which may wait for seconds.
        network.model.fit(
            batches,
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            steps_per_epoch=recipe.steps_per_epoch(len(data.train_labels)),
            shuffle=False,
            verbose=0,
            callbacks=[_EachEpoch(network, recipe, phase, data, report, save, save_every, waiting)],
        )


def compile_step(network: Network, jit: bool) -> None:
    """Let the network's model train on batches of images, one-hot labels and weights, by `fit` or `train_on_batch`.

    Nothing in it is of one phase, so that TensorFlow, which takes seconds to trace a step, does so once in a training.
    """
    network.model.compile(
        network.optimizer,
        keras.losses.CategoricalCrossentropy(),
        # Given by its name, Keras would make its variables in the first step, which TensorFlow then has to trace again.
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        jit_compile=jit,
    )


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Weights by class, float32 (highest label + 1,), by which every class that is there counts the same; their mean over `labels` is 1."""
    counts = np.bincount(labels)
    weights = np.zeros(len(counts), np.float32)
    present = counts > 0
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


class _EachEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """What happens around the epochs of one phase."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        phase: Phase,
        data: Data,
        report: Callable[..., None],
        save: Callable[[Any], None],
        save_every: int,
        waiting: InputWait,
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.phase, self.data = network, recipe, phase, data
        self.report, self.keep, self.save_every = report, save, save_every
        self.waiting, self.steps = waiting, 0
        self.end_of_phase = 0
        self.durations: list[float] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.end_of_phase = self.params["epochs"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.started = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.waiting.asked()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.waiting.ended(self.steps)
        self.steps += 1
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {self.network.settings.epoch + 1}; "
                f"give a smaller --learning_rate than {self.phase.learning_rate:g}"
            )
        if sys.stdout.isatty():
            print(f"\r  step {batch + 1} of {self.params['steps']}  loss {loss:.4f} ", end="", flush=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        trained = time.monotonic()
        logs = logs or {}
        probabilities = self.network.predict(self.data.validation_images)
        labels = self.data.validation_labels
        if self.data.validation_samples:
            self.network.validation = Predictions(
                self.data.validation_samples, self.data.validation_patients, labels, probabilities
            )
        result = score(labels, probabilities.argmax(axis=1))
        of_truth = probabilities[np.arange(len(labels)), labels]
        values = {
            # The most telling first: a narrow terminal shows no more.
            "val__score": result.value,
            "val__accuracy": result.accuracy,
            # Without smoothing and weights, so that phases and recipes compare.
            "val__loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
            "train__loss": float(logs["loss"]),
            "train__accuracy": float(logs["accuracy"]),
        }
        settings = self.network.settings
        settings.epoch, settings.phase = epoch + 1, self.phase.name
        settings.temperature = fit_temperature(probabilities, labels)
        columns = {name.replace("__", "_"): value for name, value in values.items()}
        self.network.history.append(Epoch(settings.epoch, settings.phase, self.phase.learning_rate, **columns))
        is_best = settings.best_score is None or result.value > settings.best_score
        if is_best:
            settings.best_score, settings.best_epoch = result.value, settings.epoch
        self.durations.append(time.monotonic() - self.started)
        rate = len(self.data.train_labels) / (trained - self.started)
        self._print_line(values, rate, self.waiting.take() / (trained - self.started), is_best)
        self.report(summary=True, step=settings.epoch, **values, phase=self.phase.name)
        if settings.epoch % self.save_every == 0 or settings.epoch == self.end_of_phase:
            self.keep(settings.epoch)
        if is_best:
            self.keep("best")

    def _print_line(self, values: dict[str, float], rate: float, waited: float, is_best: bool) -> None:
        epoch, total = self.network.settings.epoch, self.recipe.epochs
        left = (total - epoch) * float(np.median(self.durations[-3:]))
        print(
            f"{chr(13) if sys.stdout.isatty() else ''}epoch {epoch:>{len(str(total))}}/{total} {self.phase.name}"
            f"  loss {values['train__loss']:.3f} acc {values['train__accuracy']:.3f}"
            f"  val {values['val__loss']:.3f} acc {values['val__accuracy']:.3f}"
            f"  score {values['val__score']:.2f}{' best' if is_best else ''}"
            f"  {rate:.0f}/s input {waited:.0%}  {clock(left)} left",
            flush=True,
        )

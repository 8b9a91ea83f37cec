"""Training: the phases of a recipe by Keras' `fit`, with validation, a log line and checkpoints after each epoch."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from dataprep.batches import training_batches

from .console import clock
from .data import Data
from .metrics import METRICS, score
from .network import Network
from .predict.folding import all_layers
from .recipes import Phase
from .records import Epoch, Predictions
from .settings import Settings

# For a training that has to end in time: the steps that measure the time, and the fewest of a later epoch.
_MEASURED, _FEWEST = 50, 10


class TrainingError(RuntimeError):
    """Failed training. The message is one line and says what to change."""


def train(
    network: Network,
    data: Data,
    *,
    report: Callable[..., None],
    save: Callable[[Any], None],
    save_every: int = 5,
    deadline: float | None = None,
    metric: str = "",
) -> None:
    """Train from the network's current epoch to the last epoch of its recipe.

    On a CPU with as many threads, a resumed training gives bit for bit the same weights as an uninterrupted one: shuffling and
    augmentation depend on the seed and the epoch's number only, all other state is part of the network.

    Args:
        network: trained in place; its settings hold the recipe and the progress.
        report: called after each epoch as `report(summary=True, step=epoch, train__loss=..., ...)`.
        save: called as `save(epoch)` every `save_every` epochs, after the last epoch of a phase and after those that measure the time, and
            as `save("best")` after the best epoch of the current phase so far. Epochs are counted from 1.
        deadline: a time of `time.monotonic()`, or None. Some steps then measure the time, and epochs are chosen so that the training
            ends in time and each phase has its share; again before the last phase. If a pass over the photographs takes too long for
            that, an epoch is a part of it.
        metric: the scorer of the competition. One of `model.metrics.METRICS` chooses the best epoch, of equal ones that of the lower
            validation loss; with any other, the loss chooses.

    Raises:
        TrainingError: the loss is not finite. Nothing of that epoch is saved.
    """
    settings, labels = network.settings, data.train_labels
    recipe = settings.recipe = settings.recipe.planned(len(labels))
    steps = of_pass = math.ceil(len(labels) / recipe.batch_size)
    settings.steps = settings.steps or settings.epoch * of_pass
    if deadline is not None and not recipe.schedule(settings.epoch, settings.phase):
        # One measures the time, and the plan puts as many as fit in the place of the other.
        recipe = settings.recipe = replace(recipe, epochs=settings.epoch + 2)
        print(f"already trained for {settings.epoch} epochs; --hours goes on from there", flush=True)
    for layer in all_layers(network.model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = norm_momentum(steps * recipe.epochs, recipe.ema)
    compile_step(network)
    pace = Pace()
    while schedule := settings.recipe.schedule(settings.epoch, settings.phase):
        phase, epochs = schedule[0]
        total = settings.steps + steps * (settings.recipe.epochs - settings.epoch)
        if deadline is not None and not pace.seconds:
            epochs, steps = epochs[:1], min(_MEASURED, of_pass)
        network.optimizer.learning_rate = recipe.learning_rate * phase.rate
        waiting = InputWait()
        batches = training_batches(
            data.train_images,
            labels,
            len(settings.classes),
            batch_size=recipe.batch_size,
            batches=range(settings.steps, settings.steps + len(epochs) * steps),
            strength=phase.augmentation,
            label_smoothing=phase.label_smoothing,
            seed=settings.seed,
            sample_weights=class_weights(labels, recipe.class_weights, recipe.class_weight_limit)[labels],
            on_batch=waiting.made,
        )
        # One call per phase: the end of an input pipeline may take seconds.
        network.model.fit(
            batches,
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[_EachEpoch(network, phase, data, report, save, save_every, waiting, pace, total, metric)],
        )
        left = settings.recipe.schedule(settings.epoch, settings.phase)
        if deadline is not None and left:
            seconds = deadline - time.monotonic() - pace.reserve(steps, recipe.views)
            not_begun = [phase for phase, _ in left if phase.name != settings.phase]
            epochs_left, steps = pace.plan(seconds, max(len(not_begun), 1), of_pass)
            settings.recipe = replace(settings.recipe, epochs=settings.epoch + epochs_left, steps=0)
            fits = epochs_left * pace.epoch(steps) <= seconds + 1
            rest = clock(max(seconds, 0))
            says = f"fit in {rest}" if fits else f"at least, though {rest} is left"
            print(f"plan: epochs {settings.recipe.epochs}: {epochs_left} more of {steps} steps {says}", flush=True)


@dataclass
class Pace:
    """Seconds of a step in each epoch, and of the last validation."""

    seconds: list[float] = field(default_factory=list)
    validation: float = 0.0

    @property
    def step(self) -> float:
        """Seconds of a step: the median of the last three epochs."""
        return float(np.median(self.seconds[-3:]))

    def epoch(self, steps: int) -> float:
        """Seconds of an epoch of so many steps, including validation."""
        return steps * self.step + self.validation

    def reserve(self, steps: int, views: int) -> float:
        """Seconds to reserve after the last epoch: to save a checkpoint, and to validate it and `best` over views."""
        return min(self.epoch(steps) / 4, 10) + (2 * (views + 1) * self.validation if views > 1 else 0)

    def plan(self, seconds: float, least: int, of_pass: int) -> tuple[int, int]:
        """Number of epochs, at least `least`, and steps of each, at most `of_pass`, that fill so many seconds.

        A pass over very many photographs may take a large part of the time. Epochs are then parts of it: four, so that a phase can have a
        quarter of the training, as long as validation takes less than a quarter of the time.
        """
        passes = seconds / self.epoch(of_pass)
        parts = 4 if 16 * self.validation < seconds else 1
        epochs = max(math.ceil(passes), parts, least)
        if seconds / epochs < self.validation:
            epochs = max(int(passes), least)
        steps = int((seconds / epochs - self.validation) / self.step)
        return epochs, min(max(steps, _FEWEST), of_pass)


def norm_momentum(steps: int, ema: float) -> float:
    """Momentum of batch normalisation's statistics for a training of so many steps.

    They average over half a percent of the steps, 5 at least, 100 at most, or over as many as the averaged weights. Keras' 0.99 averages
    over 100: in a few hundred steps, the weights change so much meanwhile that validation varies by half from epoch to epoch.
    """
    return max(min(max(1 - 200 / steps, 0.8), 0.99), ema)


def compile_step(network: Network) -> None:
    """Compile the network's model with the loss, for batches of images, one-hot labels (smoothed) and weights.

    Another loss goes here; validation, and with it `best`, keeps the cross-entropy. Nothing in it depends on the phase, so that TensorFlow
    traces the step only once per training, which takes seconds.
    """
    network.model.compile(
        network.optimizer,
        keras.losses.CategoricalCrossentropy(),
        # An object, not the name: for a name, Keras creates the variables in the first step, and TensorFlow traces it again.
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        jit_compile=network.settings.recipe.jit,
    )


def class_weights(labels: np.ndarray, power: float, limit: float = 0.0) -> np.ndarray:
    """Class weights, float32 (highest label + 1,): 1 / class size ** power, scaled so that their mean over `labels` is 1.

    With power 1 all classes count alike, with power 0 all photographs. `limit`: largest ratio between two weights; 0: no limit.
    """
    counts = np.bincount(labels)
    weights = np.zeros(len(counts), np.float64)
    present = counts > 0
    weights[present] = counts[present] ** -float(power)
    if limit:
        weights = np.minimum(weights, max(limit, 1.0) * weights[present].min())
    return (weights * (len(labels) / (weights @ counts))).astype(np.float32)


def is_best(settings: Settings, phase: str, metric: str, value: float | None, loss: float) -> bool:
    """Whether an epoch is better than the best of its phase so far: by the `value` of `metric`, then by the validation loss.

    Without one of METRICS the loss decides. The best of an earlier phase, not trained to the end, may be better on few photographs by
    chance: it is not compared.
    """
    if settings.best_loss is None or settings.best_by != metric or settings.phase != phase:
        return True
    return (value or 0.0, -loss) > (settings.best_value or 0.0, -settings.best_loss)


def cosine(done: float) -> float:
    """The factor on the learning rate after a share `done` of the steps: linear warm-up over a tenth, then cosine decay to 0."""
    return min(10 * done + 0.01, 1.0) if done < 0.1 else (1 + math.cos(math.pi * (done - 0.1) / 0.9)) / 2


class InputWait:
    """Measures how long training steps wait for their batches.

    It uses the times at which batches are ready, as Keras' compiled step does not separate waiting from computing.
    """

    def __init__(self) -> None:
        self._ready: dict[int, float] = {}
        self._asked = 0.0
        self._seconds = 0.0

    def made(self, number: int) -> None:
        """Batch `number` is ready."""
        self._ready[number] = time.monotonic()

    def asked(self) -> None:
        """A step is ready to start."""
        self._asked = time.monotonic()

    def ended(self, number: int) -> None:
        """The step with batch `number` has ended. Step 0 is not counted, as it may include compilation."""
        waited = max(0.0, self._ready.pop(number, 0.0) - self._asked)
        self._seconds += waited if number else 0.0

    def take(self) -> float:
        """Seconds of waiting since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


class _EachEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Validates, reports, saves and prints after each epoch of a phase."""

    def __init__(
        self,
        network: Network,
        phase: Phase,
        data: Data,
        report: Callable[..., None],
        save: Callable[[Any], None],
        save_every: int,
        waiting: InputWait,
        pace: Pace,
        total: int,
        metric: str,
    ) -> None:
        super().__init__()
        self.network, self.phase, self.data = network, phase, data
        self.report, self.save, self.save_every = report, save, save_every
        self.waiting, self.steps, self.pace = waiting, 0, pace
        self.start, self.total = network.settings.steps, total
        self.metric = metric if metric in METRICS else ""
        self.rate = network.settings.recipe.learning_rate * phase.rate

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch, self.started, self.first_step = epoch, time.monotonic(), 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.waiting.asked()
        recipe = self.network.settings.recipe
        if recipe.decay == "cosine":
            self.rate = recipe.learning_rate * self.phase.rate * cosine((self.start + self.steps) / self.total)
            self.network.optimizer.learning_rate = self.rate

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.waiting.ended(self.steps)
        self.steps += 1
        if self.steps == 1:
            self.first_step = time.monotonic() - self.started
        if self.network.average:
            self.network.average.update()
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {self.network.settings.epoch + 1}; "
                f"give a smaller --learning_rate than {self.network.settings.recipe.learning_rate:g}"
            )
        if sys.stdout.isatty():
            print(f"\r  step {batch + 1} of {self.params['steps']}  loss {loss:.4f} ", end="", flush=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seconds, waited, logs = time.monotonic() - self.started, self.waiting.take(), logs or {}
        network, settings, labels = self.network, self.network.settings, self.data.validation_labels
        probabilities = network.predict(self.data.validation_images)
        if self.data.validation_samples:
            network.validation = Predictions(
                self.data.validation_samples, self.data.validation_patients, labels, probabilities
            )
        result = score(labels, probabilities.argmax(axis=1))
        of_truth = probabilities[np.arange(len(labels)), labels]
        values = {
            # The most important first, as a narrow terminal shows only the first.
            "val__score": result.value,
            "val__accuracy": result.accuracy,
            # Without label smoothing and class weights, so that phases and recipes can be compared.
            "val__loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
            "train__loss": float(logs["loss"]),
            "train__accuracy": float(logs["accuracy"]),
        }
        value = None
        if self.metric:
            value = METRICS[self.metric](np.array(settings.label_numbers), labels, probabilities)
        best = is_best(settings, self.phase.name, self.metric, value, values["val__loss"])
        settings.epoch, settings.phase, settings.validated_views = epoch + 1, self.phase.name, 1
        settings.steps = self.start + self.steps
        columns = {name.replace("__", "_"): value for name, value in values.items()}
        network.history.append(Epoch(settings.epoch, settings.phase, self.rate, **columns))
        if value is not None:
            values = {f"val__{self.metric}": value, **values}
        if best:
            settings.best_by, settings.best_value = self.metric, value
            settings.best_loss, settings.best_epoch = values["val__loss"], settings.epoch
        count, compiled = self.params["steps"], self.first_step if self.params["steps"] > 1 else 0.0
        self.pace.validation = time.monotonic() - self.started - seconds
        # The first step of a phase is not counted, as it may include compilation.
        self.pace.seconds.append((seconds - compiled) / (count - 1 if compiled else count))
        if len(np.unique(labels)) > 1 and len(answered := np.unique(probabilities.argmax(axis=1))) == 1:
            name = settings.classes[answered[0]]
            print(f"warning: epoch {settings.epoch} predicts {name} for every validation photograph", flush=True)
        photographs = min(count * settings.recipe.batch_size, len(self.data.train_labels))
        self._print_line(values, photographs / seconds, waited / seconds, best)
        self.report(summary=True, step=settings.epoch, **values, phase=self.phase.name)
        # The best first, since a session of `nsml run --halve` ends with the checkpoint that it saves at its epoch.
        if best:
            self.save("best")
        if settings.epoch % self.save_every == 0 or settings.epoch == self.params["epochs"]:
            self.save(settings.epoch)

    def _print_line(self, values: dict[str, float], rate: float, waited: float, best: bool) -> None:
        epoch, total = self.network.settings.epoch, self.network.settings.recipe.epochs
        by_metric = f"  {self.metric} {values[f'val__{self.metric}']:.3f}" if self.metric else ""
        by_input = f" input {waited:.0%}" if waited >= 0.005 else ""
        left = (total - epoch) * self.pace.epoch(self.params["steps"])
        print(
            f"{chr(13) if sys.stdout.isatty() else ''}epoch {epoch:>{len(str(total))}}/{total} {self.phase.name}"
            f"  loss {values['train__loss']:.3f} acc {values['train__accuracy']:.3f}"
            f"  val {values['val__loss']:.3f} acc {values['val__accuracy']:.3f}"
            f"  score {values['val__score']:.2f}{by_metric}{'  best' if best else ''}"
            f"  {rate:.0f}/s{by_input}  {clock(left)} left",
            flush=True,
        )

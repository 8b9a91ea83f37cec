"""K-fold training: one network per fold, and the ensemble of all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .baselines import print_baselines, print_beaten
from .console import clock
from .data import Data
from .ensemble import Ensemble, combine
from .metrics import score_of
from .network import Network
from .settings import Settings
from .training import train
from .validation import validate_with_views

ALL = "all"


def train_folds(
    network: Network | None,
    settings: Settings,
    *,
    begin: Callable[[Settings], Network],
    read: Callable[[Settings], Data],
    report: Callable[..., None],
    keep: Callable[[str, Network | Ensemble], None],
    save_every: int = 5,
    deadline: float | None = None,
) -> Ensemble:
    """Train the remaining networks of `settings.folds`, and save the ensemble of all as checkpoint `all`.

    The ensemble has the networks of the last epochs, not of the best ones: epochs chosen by validation would make the validation of the
    ensemble look too good. Its validation predictions cover all photographs, each by the network that was not trained on it. Checkpoint
    `foldK` is overwritten during fold K. It includes the networks of the finished folds, so that training can resume from it.

    Args:
        network: network of a checkpoint `foldK`, or None; its fold is trained first.
        settings: settings of new networks, except for the fold.
        begin: creates an untrained network from settings.
        read: reads the data, split as in settings.
        report: see `train`; values of fold K are named `foldK__...`, those of the ensemble `val__...`.
        keep: saves a checkpoint with that name.
        save_every: see `train`.
        deadline: a time of `time.monotonic()`, or None; the remaining folds share the time equally.
    """
    done = list(network.earlier) if network else []
    left = [fold for fold in range(settings.folds) if fold not in {each.settings.fold for each in done}]
    if network:
        left = [network.settings.fold, *(fold for fold in left if fold != network.settings.fold)]
    seconds = 0.0
    for number, fold in enumerate(left):
        estimate = f", about {clock(seconds * (len(left) - number))} left for all" if seconds else ""
        print(f"fold {fold}, {len(done) + 1} of {settings.folds}{estimate}", flush=True)
        if network is None or fold != network.settings.fold:
            network = begin(settings.begun_anew(fold))
        network.earlier = tuple(done)
        started = time.monotonic()
        data = read(network.settings)
        until = None if deadline is None else started + (deadline - started) / (len(left) - number)
        _train_fold(network, data, report, keep, save_every, until)
        validate_with_views(network, data)
        print_beaten(network)
        seconds = time.monotonic() - started
        done.append(network)
    done.sort(key=lambda each: each.settings.fold)
    weights = [1.0] * len(done)
    ensemble = Ensemble(done, weights, combine([each.validation for each in done], weights), settings.recipe.views)
    assert ensemble.validation is not None
    result = score_of(ensemble.validation)
    print(f"all {len(done)} folds: val acc {result.accuracy:.3f}  score {result.value:.2f}", flush=True)
    report(summary=True, step=settings.recipe.epochs, val__score=result.value, val__accuracy=result.accuracy)
    keep(ALL, ensemble)
    return ensemble


def _train_fold(
    network: Network,
    data: Data,
    report: Callable[..., None],
    keep: Callable[[str, Network | Ensemble], None],
    save_every: int,
    deadline: float | None,
) -> None:
    name = f"fold{network.settings.fold}"

    def report_as_fold(*, summary: bool, step: int, **values: Any) -> None:
        report(summary=summary, step=step, **{f"{name}__{key}": value for key, value in values.items()})

    def keep_as_fold(checkpoint: Any) -> None:
        if checkpoint != "best":
            keep(name, network)

    # A checkpoint from the end of a fold goes on with the next fold.
    if network.settings.epoch < network.settings.recipe.epochs:
        if network.settings.recipe.baselines:
            network.baselines = print_baselines(data, network.settings)
        train(network, data, report=report_as_fold, save=keep_as_fold, save_every=save_every, deadline=deadline)

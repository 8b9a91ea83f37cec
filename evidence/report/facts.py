"""The settings of the networks of a report, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from model.console import counted
from model.metrics import score, score_of
from model.network import Network

from .subject import Subject


def facts(subject: Subject) -> dict[str, str]:
    """Names and values. For an ensemble, the distinct values of its networks."""
    validation = subject.validation
    of_each = [_of(network) for network in subject.networks]
    values = {name: dict.fromkeys(one[name] for one in of_each if one[name]) for name in of_each[0]}
    largest = int(np.bincount(validation.labels).argmax())
    guess = score(validation.labels, np.full_like(validation.labels, largest))
    together = {
        "score of the competition": f"{score_of(validation).value:.2f}, always {subject.classes[largest]} {guess.value:.2f}",
        "validated on": f"{counted(len(validation.labels), 'photograph')} of {counted(len(set(validation.patients)), 'patient')}",
    }
    if len(subject.networks) > 1:
        together["networks"] = str(len(subject.networks))
    return together | {name: "; ".join(each) for name, each in values.items() if each}


def _of(network: Network) -> dict[str, str]:
    settings = network.settings
    by_metric = f"{settings.best_by} {settings.best_value:.3f}, " if settings.best_value is not None else ""
    best = (
        ""
        if settings.best_loss is None
        else f"{settings.best_epoch}, with {by_metric}validation loss {settings.best_loss:.3f}"
    )
    return {
        "epochs": f"{settings.epoch}, the last in phase {settings.phase}" if settings.phase else str(settings.epoch),
        "best epoch": best,
        "split": f"fold {settings.fold} of {settings.folds}" if settings.folds else "a fifth of the patients",
        "network": f"{settings.recipe.network}, {network.model.count_params():,} weights",
        "recipe": ", ".join(f"{name} {value}" for name, value in settings.recipe.to_dict().items() if name != "phases"),
        "phases": "; ".join(
            ", ".join(f"{name} {value}" for name, value in phase.items())
            for phase in settings.recipe.to_dict()["phases"]
        ),
        "preparation": ", ".join(f"{name} {value}" for name, value in asdict(settings.preparation).items()),
        "seed": str(settings.seed),
        "learning rate": f"{settings.recipe.learning_rate:g}",
        "batch size": str(settings.recipe.batch_size),
        "optimiser": settings.recipe.optimizer,
        **_origin(settings.origin or {}),
    }


def _origin(origin: dict[str, Any]) -> dict[str, str]:
    """Commit, data and versions; "" for what is unknown."""
    commit, data, versions = (origin.get(name) for name in ("commit", "data", "versions"))
    return {
        "commit": f"{commit}, {'the folder as in it' if origin.get('clean') is True else 'with changes'}"
        if commit
        else "",
        "data": _pairs(data, ", digest "),
        "versions": _pairs(versions, " "),
    }


def _pairs(values: Any, between: str) -> str:
    # A checkpoint's file may hold anything.
    return ", ".join(f"{name}{between}{value}" for name, value in values.items()) if isinstance(values, dict) else ""

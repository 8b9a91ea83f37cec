"""Intervals of the scores on a board, and the ranks that they allow, by the bootstrap over the patients of the test set.

All users are scored on the same resamples. Two differ significantly if their difference is further from 0 than that of any pair from
its own value in 95 % of the resamples, in standard errors. So with 95 % confidence all ranks hold at once, however many users there are
(Mogstad, Romano, Shaikh and Wilhelm, Inference for Ranks, Review of Economic Studies 91, 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NsmlError
from ..scoring.metrics import METRICS, read_pairs
from ..scoring.predictions import FILE, Kind, read_lines
from ..scoring.public import patients_of, public_part
from ..scoring.rules import Rules
from ..scoring.scorer import wanted_predictions
from ..store.datasets import Dataset
from ..store.home import Home
from ..store.submissions import Rank
from .bootstrap import LEVEL, RESAMPLES, SEED, draw_patients, estimate
from .figures import Floats, Ranking, fundus_scores, mean_auc, mean_of_ratios
from .verdict import MIN_PATIENTS

_MOST_COUNTS = 20_000_000  # classes by classes by patients


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a score, NaN where it is undefined, and the first and last rank that a user may have; 0 for a baseline."""

    low: float
    high: float
    first_rank: int
    last_rank: int


def intervals(home: Home, dataset: Dataset, ranks: Sequence[Rank], rules: Rules) -> tuple[dict[str, Interval], int]:
    """The interval of each user, by the score that ranks him, and the number of patients.

    NsmlError if they cannot be computed; the message says why.
    """
    if dataset.evaluation.exists():
        raise NsmlError("the dataset has a scorer of its own")
    wanted_predictions(dataset)
    labels = read_lines(dataset.labels, "the label file")
    part = public_part(dataset)
    rest = bool(rules.order()["by_private"])
    patients, _ = patients_of(dataset, labels, rules.patient_pattern)
    counted = sorted(name for name in labels if part is None or (name in part) != rest)
    numbers = np.unique(np.array([patients[name] for name in counted], object), return_inverse=True)[1].astype(np.int64)
    count = int(numbers.max()) + 1 if counted else 0
    if count < MIN_PATIENTS:
        raise NsmlError(f"they need at least {MIN_PATIENTS} patients, and there are {count}")
    figures = []
    for row in ranks:
        path = home.submissions / dataset.name / row.number / FILE
        pairs = read_pairs(rules.metric, path, dataset.labels)
        figures.append(resampled(rules.metric, [pairs[name] for name in counted], numbers))
    weights = [np.ones((1, count)), *draw_patients(count, RESAMPLES, SEED)]
    values = np.array([np.concatenate([each(w) for w in weights]) for each in figures])
    values[:, 1:][:, np.isnan(values[:, 1:]).any(axis=0)] = np.nan
    places = [place for place, row in enumerate(ranks) if not row.baseline]
    allowed = dict(zip(places, allowed_ranks(values[places], rules.lower_is_better), strict=True))
    result = {}
    for place, row in enumerate(ranks):
        drawn = estimate(values[place, 0], values[place, 1:])
        result[row.user] = Interval(drawn.low, drawn.high, *allowed.get(place, (0, 0)))
    return result, count


def allowed_ranks(values: Floats, lower_is_better: bool) -> list[tuple[int, int]]:
    """First and last rank of each of n users that no resample speaks against.

    Args:
        values: (n, 1 + r), the scores, then those of r resamples; a resample in which one is undefined is NaN for all.
    """
    values = values[:, ~np.isnan(values).any(axis=0)] * (-1 if lower_is_better else 1)
    users = len(values)
    if not users or values.shape[1] < 3:
        return [(1, users)] * users
    differences = np.zeros((users, users))
    errors = np.zeros((users, users))
    largest = np.zeros(values.shape[1] - 1)
    for user, own in enumerate(values):
        drawn = own - values
        differences[user] = drawn[:, 0]
        errors[user] = drawn[:, 1:].std(axis=1, ddof=1)
        differ = errors[user] > 1e-12
        if differ.any():
            away = np.abs(drawn[differ, 1:] - drawn[differ, :1]) / errors[user, differ, None]
            largest = np.maximum(largest, away.max(axis=0))
    apart = np.abs(differences) > np.maximum(np.quantile(largest, LEVEL) * errors, 1e-12)
    ahead = (apart & (differences < 0)).sum(axis=1)
    behind = (apart & (differences > 0)).sum(axis=1)
    return [(1 + int(a), users - int(b)) for a, b in zip(ahead, behind, strict=True)]


def resampled(metric: str, pairs: Sequence[tuple[Any, Any]], patients: NDArray[np.int64]) -> Callable[[Floats], Floats]:
    """A function from weights of the patients, (r, m), to the scores of those resamples, (r,).

    Args:
        pairs: label and prediction of each test item, as `Metric.compute` takes them.
        patients: (n,), integers 0 to m - 1.
    """
    if METRICS[metric].kind is Kind.CLASS:
        return _of_classes(metric, np.array(pairs, np.int64), patients)
    labels, predictions = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
    if metric == "auroc":
        present = np.unique(labels)
        columns = {c: predictions[:, int(c)] for c in present} if predictions.ndim == 2 else {present[-1]: predictions}
        rankings = [Ranking(labels == c, column, patients) for c, column in columns.items()]
        return lambda weights: mean_auc(rankings, weights)
    if metric == "logloss":
        rows = predictions if predictions.ndim == 2 else np.stack([1 - predictions, predictions], axis=1)
        totals = rows.sum(axis=1)
        likely = rows[np.arange(len(rows)), labels.astype(np.int64)] / np.where(totals > 0, totals, 1)
        tiny = np.finfo(np.float64).eps
        losses = -np.log(np.clip(likely, tiny, 1 - tiny))
    else:
        losses = (labels - predictions) ** 2
    sums, counts = np.bincount(patients, losses), np.bincount(patients).astype(float)
    if metric == "logloss":
        return lambda weights: (weights @ sums) / (weights @ counts)
    return lambda weights: np.sqrt((weights @ sums) / (weights @ counts))


def _of_classes(metric: str, pairs: NDArray[np.int64], patients: NDArray[np.int64]) -> Callable[[Floats], Floats]:
    """From the counts of each label and answer by patient."""
    classes, count = int(pairs.max()) + 1, int(patients.max()) + 1
    if classes**2 * count > _MOST_COUNTS:
        raise NsmlError(f"there are {classes} classes, which are too many to count by patient")
    table = np.zeros((count, classes * classes))
    np.add.at(table, (patients, pairs[:, 0] * classes + pairs[:, 1]), 1)
    distance = (np.arange(classes)[:, None] - np.arange(classes)) ** 2.0

    def scores(weights: Floats) -> Floats:
        counts = (weights @ table).reshape(-1, classes, classes)
        hits, images, named = np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)
        total = images.sum(axis=1)
        match metric:
            case "fundus":
                return fundus_scores(images, hits, named)
            case "accuracy":
                return np.asarray(hits.sum(axis=1) / total)
            case "balanced_accuracy":
                return mean_of_ratios(hits, images)
            case "f1":
                return mean_of_ratios(2 * hits, images + named)
        assert metric == "kappa", metric
        seen = (counts * distance).sum(axis=(1, 2))
        by_chance = ((images @ distance) * named).sum(axis=1) / total
        is_defined = (np.count_nonzero(images, axis=1) > 1) & (by_chance > 0)
        ratio = np.divide(seen, by_chance, out=np.full(len(seen), np.nan), where=is_defined)
        return np.asarray(1 - ratio)

    return scores

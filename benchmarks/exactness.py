"""What preparing fast costs in exactness: grey levels, and the answers of networks that were trained on photographs prepared fast."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np

from benchmarks import exact
from benchmarks.networks import DEFAULT, demo, trained
from benchmarks.photographs import photographs
from benchmarks.records import Condition, Record
from benchmarks.rows import Plan
from dataprep.photograph import Preparation, prepare_file
from model.metrics import score

_BIG = 8  # photographs of the competition's size; each takes a second to prepare exactly at 512 pixels


def benchmark(plan: Plan) -> list[Record]:
    """Differences from the exact way on photographs of the competition's size, then what they change for a trained network.

    The measure of what is small: the exact way itself, its square cut one pixel of the photograph further.
    Real photographs are taken from the folder that FUNDUS_PHOTOGRAPHS names, else from ../shared/fundus, where there is one.
    """
    records: list[Record] = []
    big = photographs(plan.folder, plan.rounds(_BIG, 2))
    fast, slow, shifted = _all_ways(big, Preparation(512))
    records += _differences("3900x3072 at 512 pixels", fast, slow, shifted)
    for name, dataset in _datasets(plan):
        records += _answers(plan, name, dataset)
    return records


def _datasets(plan: Plan) -> Iterator[tuple[str, Path]]:
    yield "FUNDUS_DEMO", demo(plan)
    if not plan.quick:
        beside = Path(__file__).resolve().parents[2] / "shared" / "fundus"
        real = Path(os.environ.get("FUNDUS_PHOTOGRAPHS") or beside)
        yield from ((path.name, path) for path in sorted(real.glob("*_FUNDUS")) if path.is_dir())


def _answers(plan: Plan, name: str, dataset: Path) -> list[Record]:
    network = trained(plan, *DEFAULT, dataset)
    with open(dataset / "test" / "test_label", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    paths = [dataset / "test" / folder / file for folder, file, _ in rows]
    labels = np.array([int(label) for *_, label in rows])
    ways = _all_ways(paths, network.settings.preparation)
    answers, exact_answers, shifted_answers = (network.predict(images).argmax(axis=1) for images in ways)
    of_all = f"of {len(labels)} photographs of {name}"
    return [
        *_differences(f"{name} at {DEFAULT[0]} pixels", *ways),
        Condition(f"answered otherwise, {of_all}", int((answers != exact_answers).sum()), ""),
        Condition(f"the same for one pixel's shift, {of_all}", int((shifted_answers != exact_answers).sum()), ""),
        Condition(f"right when prepared fast, {of_all}", 100 * score(labels, answers).accuracy, "%"),
        Condition(f"right when prepared exactly, {of_all}", 100 * score(labels, exact_answers).accuracy, "%"),
        Condition(f"the same for one pixel's shift, {of_all}", 100 * score(labels, shifted_answers).accuracy, "%"),
    ]


def _all_ways(paths: list[Path], preparation: Preparation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prepared fast, exactly, and exactly but one pixel further: three uint8 (n, size, size, 3)."""
    with ThreadPool(2) as pool:
        fast = pool.map(lambda path: prepare_file(path, preparation), paths)
        slow = pool.map(lambda path: exact.prepare(path, preparation), paths)
        shifted = pool.map(lambda path: exact.prepare(path, preparation, shift=1), paths)
    return np.array(fast), np.array(slow), np.array(shifted)


def _differences(what: str, fast: np.ndarray, slow: np.ndarray, shifted: np.ndarray) -> list[Record]:
    difference, by_shift = (np.abs(images.astype(np.int16) - slow) for images in (fast, shifted))
    worst = difference.mean(axis=(1, 2, 3)).max()
    return [
        Condition(f"mean difference, {what}", float(difference.mean()), "grey levels"),
        Condition(f"the same for one pixel's shift, {what}", float(by_shift.mean()), "grey levels"),
        Condition(f"mean difference of the worst photograph, {what}", float(worst), "grey levels"),
        Condition(f"99.9th percentile of it, {what}", float(np.percentile(difference, 99.9)), "grey levels"),
        Condition(f"the same for one pixel's shift, {what}", float(np.percentile(by_shift, 99.9)), "grey levels"),
    ]

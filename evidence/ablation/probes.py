"""The shortcut probes of the audit, on an ablation's photographs."""

from __future__ import annotations

import numpy as np

from dataprep.catalog import read_catalog

from ..audit.measure import Measures, measure_all
from ..audit.probe import Folds, Probe, make_folds, probe
from .dataset import Dataset


def probe_dataset(dataset: Dataset) -> dict[str, Probe]:
    """How well colours, and shape, tell the classes without a lesion; nothing where a probe is not possible."""
    samples = read_catalog(dataset.photographs, dataset.classes).samples
    measured = measure_all([sample.path for sample in samples], near=False)
    kept = [(s, m) for s, m in zip(samples, measured, strict=True) if isinstance(m, Measures)]
    folds = make_folds([sample for sample, _ in kept], dataset.classes)
    if not isinstance(folds, Folds):
        return {}
    chosen = [kept[i][1] for i in folds.chosen]
    return {
        "colours": probe(np.array([found.colours for found in chosen]), folds),
        "shape": probe(np.array([found.shape for found in chosen]), folds),
    }

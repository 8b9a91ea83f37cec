"""The plan of a training: the values of the recipe that depend on the photographs, with the reason for each."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dataprep.catalog import Catalog
from dataprep.header import PhotographError, read_header
from dataprep.labels import few

from .data import split_catalog
from .recipes import Recipe
from .settings import Settings
from .training import class_weights

# Number of headers that are read; sizes within a dataset differ little.
_HEADERS = 64
# Networks that halve an image five times need multiples of 32; below 96, their last feature map is two pixels wide.
_STEP, _SMALLEST = 32, 96
# An average of momentum m forgets where it began in a few times 1 / (1 - m) steps.
_AVERAGED = 5
# Letters of a line; `plan: ` before it makes a hundred.
_WIDTH = 94


def print_plan(catalog: Catalog, settings: Settings, given: Collection[str] = (), *, timed: bool = False) -> Recipe:
    """Print the plan for the training photographs of a catalog, and return the planned recipe. SplitError if the split is not possible."""
    training = [catalog.samples[index] for index in split_catalog(catalog, settings).train]
    side = shorter_side([sample.path for sample in training])
    recipe, lines = plan(
        settings.recipe, [sample.label for sample in training], settings.classes, side, given, timed=timed
    )
    for line in lines:
        print(f"plan: {line}", flush=True)
    return recipe


def plan(
    recipe: Recipe,
    labels: Sequence[int] | np.ndarray,
    classes: Sequence[str],
    side: float,
    given: Collection[str] = (),
    *,
    timed: bool = False,
) -> tuple[Recipe, list[str]]:
    """Choose epochs and image size for the photographs, with reasons.

    Args:
        recipe: the recipe; its `steps` may increase the epochs.
        labels: int (n,), labels of the training photographs, indices into `classes`; n at least 1.
        side: median of the photographs' shorter sides in pixels; 0 if unknown.
        given: fields that the command line sets; they are not changed.
        timed: whether the training chooses its epochs by the time, after the first.

    Returns:
        The recipe with its epochs and image size, and one line of text for each value.
    """
    labels = np.asarray(labels)
    planned = recipe.planned(len(labels))
    each = math.ceil(len(labels) / recipe.batch_size)
    steps = planned.epochs * each
    reason = "given" if "epochs" in given else f"recipe {recipe.name}"
    if planned.epochs > recipe.epochs:
        reason = f"at least {recipe.steps} steps, and {recipe.epochs} epochs have {recipe.epochs * each}"
    lines = [f"epochs {planned.epochs}, steps {steps}, of {recipe.batch_size} photographs each: {reason}"]
    lengths = [f"{phase.name} {len(epochs)}" for phase, epochs in planned.schedule()]
    if timed:
        lines = ["epochs: as many as fit into the time of --hours, once the first has measured them"]
    elif len(lengths) > 1:
        lines.append(f"phases {', '.join(lengths)} epochs: shares of the recipe, at least an epoch each")

    size, reason = recipe.image_size, "given" if "image_size" in given else f"recipe {recipe.name}"
    fitting = max(int(side) // _STEP * _STEP, _SMALLEST)
    if side and "image_size" not in given and fitting < size:
        size, reason = fitting, f"the photographs are {side:.0f} pixels, and enlarging adds nothing"
    lines.append(f"image size {size}: {reason}")

    weights = class_weights(labels, recipe.class_weights, recipe.class_weight_limit)
    reason = {0.0: "all photographs count alike", 1.0: "all classes count alike"}.get(
        recipe.class_weights, f"1 / size ** {recipe.class_weights:g}"
    )
    if class_weights(labels, recipe.class_weights).max() > 1.001 * weights.max():
        reason += f", at most {recipe.class_weight_limit:g} to 1"
    present = sorted(set(labels.tolist()))
    shown = [f"{classes[label]} {weights[label]:.2f}" for label in present]
    most = len(shown)
    while len(line := f"class weights {few(shown, most)}: {reason}") > _WIDTH and most > 3:
        most -= 1
    if len(line) > _WIDTH:
        low, high = min(weights[present]), max(weights[present])
        line = f"class weights {low:.2f} to {high:.2f} of {len(present)} classes: {reason}"
    lines.append(line)
    ema = recipe.ema
    if ema and not timed:
        largest = max(1 - _AVERAGED / steps, 0.0)
        reason = f"predicts with weights averaged over about the last {1 / (1 - ema):.0f} of {steps} steps"
        if ema > largest and "ema" in given:
            reason = f"given; above {largest:.3g} the first weights count too much after {steps} steps"
        elif ema > largest:
            reason = f"averages over a fifth of {steps} steps; with {ema:g} the first weights would count too much"
            ema = largest
        lines.append(f"ema {ema:.3g}: {reason}")
    return replace(planned, image_size=size, ema=ema), lines


def shorter_side(paths: Sequence[Path]) -> float:
    """Median of the shorter sides, in pixels, of 64 photographs spread evenly over `paths`; 0 if no header can be read."""
    sides = []
    for path in paths[:: math.ceil(len(paths) / _HEADERS) or 1]:
        try:
            header = read_header(path)
        except PhotographError:
            continue  # the catalog warns about it
        sides.append(min(header.width, header.height))
    return float(np.median(sides)) if sides else 0.0

"""What a training on these photographs should be like, each number with its reason; every one of them may be given instead.

Size and steps rest on a few trainings of EfficientNet-Lite0 on 200 and 960 real photographs, one seed each; batch, share of the gentle
phase and bounds are customary and were not compared. A reason says which it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Multiples of 32, since the network halves them five times; the largest is what ImageNet's weights were trained at.
_SIZES = (224, 192, 160, 128, 96)
_BATCH = 16
_LEAST_STEPS = 300
# Passes over the photographs, and up to how many of these any was tried.
_PASSES, _MEASURED = 24, 1000
_GENTLE = 0.25
# A class weighs at most so many times as much as another, however rare.
_HEAVIEST = 5.0
# Of the time, for reading the photographs, the baselines, validation and saving.
_TRAINING_SHARE = 0.85


@dataclass(frozen=True)
class Choice:
    """A number of the plan and why it is that one."""

    value: Any
    reason: str


def plan(
    counts: Sequence[int],
    retina_side: float,
    *,
    minutes: float | None = None,
    step_seconds: float | None = None,
    **given: Any,
) -> dict[str, Choice]:
    """Choose what `transfer()` needs to know, in the order in which it is printed.

    Args:
        counts: training photographs of each class; at least one photograph in all.
        retina_side: of the retina in the files, in pixels, as the median of the photographs.
        minutes: that the training may take, or None.
        step_seconds: of a training step, validation left out, as the first steps take them; needed where `minutes` is given.
        given: numbers that are settled, by their names below; they are returned as they are, and the others follow from them.

    Returns:
        `image_size` in pixels, `batch_size`, `steps` in all, `gentle_steps` (the last of them, with almost no augmentation),
        `class_weights` (a factor for each class, their mean over the photographs 1), and `ema`, the momentum of the averaged weights.

    Raises:
        ValueError: an argument out of range, or a name in `given` that is none of the plan's.
    """
    photographs = sum(counts)
    if photographs < 1 or min(counts) < 0:
        raise ValueError(f"counts is {list(counts)}; give the photographs of each class")
    if not 0 < retina_side < math.inf:
        raise ValueError(f"retina_side is {retina_side}; give a number of pixels above 0")
    if minutes is not None and (step_seconds is None or not minutes > 0 or not step_seconds > 0):
        raise ValueError("minutes needs step_seconds, both above 0")
    names = ("image_size", "batch_size", "steps", "gentle_steps", "class_weights", "ema")
    if unknown := sorted(given.keys() - set(names)):
        raise ValueError(f"{unknown[0]} is no part of the plan; its parts are {', '.join(names)}")
    chosen = {name: Choice(value, "given") for name, value in given.items()}

    def choose(name: str, choice: Choice) -> Any:
        return chosen.setdefault(name, choice).value

    choose("image_size", _image_size(retina_side))
    batch = choose("batch_size", Choice(_BATCH, "customary; others were not compared"))
    steps = choose("steps", _steps(photographs, batch, minutes, step_seconds))
    reason = f"the last {_GENTLE:.0%} of the steps, also where the time is short; other shares were not compared"
    choose("gentle_steps", Choice(max(round(_GENTLE * steps), 1) if steps > 1 else 0, reason))
    choose("class_weights", _class_weights(counts))
    # The average of a start from random weights would be felt for about 1 / (1 - momentum) steps.
    momentum = round(min(max(1 - 25 / max(steps, 1), 0.5), 0.999), 4)
    choose("ema", Choice(momentum, f"averages the last {1 / (1 - momentum):.0f} of {steps} steps"))
    return {name: chosen[name] for name in names}


def _image_size(retina_side: float) -> Choice:
    size = next((size for size in _SIZES if size <= retina_side), _SIZES[-1])
    if size < _SIZES[0]:
        return Choice(size, f"the retina is {retina_side:.0f} pixels wide in the files, and enlarging adds nothing")
    return Choice(
        size, "what ImageNet's weights were trained at; 160 takes half the time and was no better in validation"
    )


def _steps(photographs: int, batch: int, minutes: float | None, step_seconds: float | None) -> Choice:
    # Beyond what was measured each pass teaches less: passes fall by the root of the photographs.
    passes = _PASSES * min(1.0, math.sqrt(_MEASURED / photographs))
    wanted = math.ceil(passes * photographs / batch)
    reason = f"{passes:.1f} passes over {photographs} photographs"
    if photographs > _MEASURED:
        reason += f" (more than {_MEASURED} were never tried: extrapolated)"
    if wanted < _LEAST_STEPS:
        wanted, reason = _LEAST_STEPS, f"at least {_LEAST_STEPS}: on 200 photographs 500 were hardly better than 250"
    if minutes is not None and step_seconds is not None:
        possible = max(int(60 * _TRAINING_SHARE * minutes / step_seconds), 1)
        reason = f"{minutes:g} minutes at {step_seconds:.2f} s a step"
        if possible < wanted:
            reason += f"; {wanted} would be better"
        return Choice(possible, reason)
    return Choice(wanted, reason)


def _class_weights(counts: Sequence[int]) -> Choice:
    present = [count for count in counts if count]
    most = max(present)
    weights = [min(math.sqrt(most / count), _HEAVIEST) if count else 0.0 for count in counts]
    mean = sum(weight * count for weight, count in zip(weights, counts, strict=True)) / sum(counts)
    values = tuple(round(weight / mean, 3) for weight in weights)
    bounded = sum(1 for count in present if math.sqrt(most / count) > _HEAVIEST)
    reason = "the root of the inverse share; other weights were not compared" + (
        f", {bounded} bounded at {_HEAVIEST:g} to 1" if bounded else ""
    )
    return Choice(values, reason)

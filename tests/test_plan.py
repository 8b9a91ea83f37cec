"""A recipe that sets itself by the photographs and the time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.plan import plan

COUNTS = st.lists(st.integers(0, 100_000), min_size=2, max_size=6).filter(any)


def values(*arguments: Any, **more: Any) -> dict[str, Any]:
    return {name: choice.value for name, choice in plan(*arguments, **more).items()}


@given(COUNTS, st.floats(10, 5000))
def test_every_plan_can_be_trained(counts: list[int], side: float) -> None:
    found = values(counts, side)
    assert found["image_size"] % 32 == 0
    assert 0 < found["gentle_steps"] < found["steps"]
    assert 0.5 <= found["ema"] <= 0.999
    assert all(choice.reason for choice in plan(counts, side).values())


@given(COUNTS)
def test_class_weights_are_bounded_and_leave_the_learning_rate_as_it_is(counts: list[int]) -> None:
    weights = values(counts, 300)["class_weights"]
    present = [weight for weight, count in zip(weights, counts, strict=True) if count]
    assert max(present) <= 5.1 * min(present)
    assert sum(w * c for w, c in zip(weights, counts, strict=True)) / sum(counts) == pytest.approx(1, rel=0.01)


@given(st.floats(0.5, 600), st.floats(0.01, 5))
def test_a_time_is_filled_and_not_exceeded_and_its_second_phase_stays(minutes: float, step: float) -> None:
    found = values([535, 129, 542], 256, minutes=minutes, step_seconds=step)
    seconds = found["steps"] * step
    assert seconds <= 60 * minutes or found["steps"] == 1
    assert seconds + step >= 60 * minutes * 0.8
    assert found["gentle_steps"] == pytest.approx(found["steps"] / 4, abs=1)


@given(st.integers(10, 100_000))
def test_more_photographs_take_more_steps_and_fewer_passes(photographs: int) -> None:
    fewer, more = (values([count, count], 300)["steps"] for count in (photographs, 2 * photographs))
    assert fewer <= more <= 2 * fewer


def test_the_size_is_no_larger_than_the_retina_in_the_files() -> None:
    assert [values([9, 9], side)["image_size"] for side in (50, 100, 150, 200, 3000)] == [96, 96, 128, 192, 224]


def test_what_is_given_stays_and_the_rest_follows_from_it() -> None:
    found = plan([100, 100], 300, steps=80, image_size=160)
    assert (found["steps"].value, found["steps"].reason, found["image_size"].value) == (80, "given", 160)
    assert found["gentle_steps"].value == 20


@pytest.mark.parametrize(
    ("arguments", "more", "named"),
    [
        (([], 300), {}, "counts"), (([0, 0], 300), {}, "counts"), (([3, -1], 300), {}, "counts"), (([3, 3], 0), {}, "retina_side"),
        (([3, 3], 300), {"minutes": 2}, "minutes"), (([3, 3], 300), {"epochs": 2}, "epochs is no part"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(arguments: Any, more: Any, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}"):
        plan(*arguments, **more)

"""The recipe's two phases, its schedule, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.recipe import Phase, Recipe, winning_recipe


@given(st.integers(1, 1000))
def test_the_two_phases_share_the_epochs_three_to_one(epochs: int) -> None:
    recipe = winning_recipe(epochs)
    assert recipe.epochs == epochs
    assert len(recipe.phases) == min(epochs, 2)
    if epochs > 1:
        assert abs(recipe.phases[1].epochs - epochs / 4) <= 0.5


def test_the_second_phase_is_gentler_in_everything() -> None:
    first, second = winning_recipe(40, learning_rate=0.01).phases
    assert (first.learning_rate, second.learning_rate) == (0.01, 0.001)
    assert second.label_smoothing < first.label_smoothing
    assert second.augmentation < first.augmentation == 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 25))
def test_what_is_left_of_the_schedule_is_its_end(lengths: list[int], done: int) -> None:
    recipe = Recipe(tuple(Phase(str(n), length, 0.1, 0, 0) for n, length in enumerate(lengths)))

    def epochs_of(schedule: list[tuple[Phase, range]]) -> list[tuple[str, int]]:
        return [(phase.name, epoch) for phase, epochs in schedule for epoch in epochs]

    whole = epochs_of(recipe.schedule())
    assert [epoch for _, epoch in whole] == list(range(sum(lengths)))
    assert epochs_of(recipe.schedule(done)) == whole[done:]
    assert all(epochs for _, epochs in recipe.schedule(done))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"augmentation": 1.5}, "augmentation"),
    ],
)
def test_a_phase_out_of_range_is_refused(changed: dict[str, Any], named: str) -> None:
    values: dict[str, Any] = {
        "name": "p",
        "epochs": 1,
        "learning_rate": 0.1,
        "label_smoothing": 0.0,
        "augmentation": 0.0,
    }
    with pytest.raises(ValueError, match=rf"^{named} is .* in phase p; give"):
        Phase(**{**values, **changed})


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"phases": ()}, "phases"), ({"batch_size": 0}, "batch_size"), ({"dropout": 1.0}, "dropout"), ({"l2": -1}, "l2")],
)
def test_a_recipe_out_of_range_is_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named} is .*; give"):
        Recipe(**{"phases": winning_recipe().phases, **changed})

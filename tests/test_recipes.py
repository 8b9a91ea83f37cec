"""Recipes: their schedule, their limits, and what --set changes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from main import parse
from model.recipes import RECIPES, Phase, Recipe, RecipeError, changed, describe, transfer, winning


def epochs_of(schedule: list[tuple[Phase, range]]) -> list[tuple[str, int]]:
    return [(phase.name, epoch) for phase, epochs in schedule for epoch in epochs]


@given(st.integers(1, 1000))
def test_the_two_phases_of_the_winners_share_the_epochs_three_to_one(epochs: int) -> None:
    schedule = replace(winning(), epochs=epochs).schedule()
    assert len(schedule) == min(epochs, 2)
    assert sum(len(each) for _, each in schedule) == epochs
    if epochs > 1:
        assert abs(len(schedule[1][1]) - epochs / 4) <= 0.5


def test_the_second_phase_of_the_winners_is_gentler_in_everything() -> None:
    first, second = winning().phases
    assert second.rate < first.rate == 1
    assert second.label_smoothing < first.label_smoothing
    assert second.augmentation < first.augmentation == 1


def test_quick_differs_from_transfer_in_the_size_of_the_photographs_alone() -> None:
    assert replace(RECIPES["quick"](), name="transfer", image_size=224) == RECIPES["transfer"]()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.integers(1, 25), st.integers(0, 30))
def test_the_schedule_left_is_the_end_of_the_whole(shares: list[float], epochs: int, done: int) -> None:
    phases = tuple(Phase(str(n), share, 1.0, 0.0, 0.0) for n, share in enumerate(shares))
    recipe = Recipe("mine", phases, epochs=epochs)
    whole = epochs_of(recipe.schedule())
    assert [epoch for _, epoch in whole] == list(range(epochs))
    assert [name for name, _ in whole] == sorted(name for name, _ in whole)
    assert {name for name, _ in whole} == {phase.name for phase in phases[:epochs]}
    assert epochs_of(recipe.schedule(done)) == whole[done:]
    assert all(each for _, each in recipe.schedule(done))


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_a_longer_training_never_returns_to_an_earlier_phase(before: int, after: int, data: st.DataObject) -> None:
    done = data.draw(st.integers(1, before))
    reached = epochs_of(replace(winning(), epochs=before).schedule())[done - 1][0]
    left = epochs_of(replace(winning(), epochs=after).schedule(done, reached))
    assert [epoch for _, epoch in left] == list(range(done, after))
    if reached == "gentle":
        assert {name for name, _ in left} <= {"gentle"}


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"width": "wide"}, "width is 'wide'; give a whole number from 1 to 256"),
        ({"width": "0"}, "width is 0; give a whole number from 1 to 256"),
        ({"dropout": "1"}, "dropout is 1.0; give a number from 0 to 0.99"),
        ({"learning_rate": "nan"}, "learning_rate is nan; give a number from 1e-07 to 1"),
        ({"optimizer": "sgd"}, "optimizer is 'sgd'; give radam, adam or adamw"),
        ({"views": "3"}, "views is 3; give 1 or 8"),
        ({"local_average": "maybe"}, "local_average is 'maybe'; give 0 or 1"),
        ({"strong.augmentation": "2"}, "strong.augmentation is 2.0; give a number from 0 to 1"),
        (
            {"strong.share": "0.5"},
            "strong.share: the first phase gets the epochs that the others leave; set gentle.share",
        ),
        ({"soft.rate": "1"}, "soft.rate: recipe winning has no phase soft; it has strong, gentle"),
        ({"droput": "0"}, "droput is not a field of a recipe; did you mean dropout? --set help lists the fields"),
        (
            {"strong.rte": "1"},
            "strong.rte is not a field of a recipe; did you mean strong.rate? --set help lists the fields",
        ),
        ({"name": "x"}, "name is not a field of a recipe; --set help lists the fields"),
        ({"phases": "x"}, "phases is not a field of a recipe; --set help lists the fields"),
        (
            {"weights": "imagenet"},
            "weights is imagenet; give random for network vgg, or another network, such as VGG16",
        ),
        (
            {"weights": "a.keras"},
            "weights is 'a.keras'; give random, imagenet, drawn, or the path of a FILE.weights.h5",
        ),
    ],
)
def test_a_field_or_value_that_does_not_exist_is_one_line(values: dict[str, str], line: str) -> None:
    with pytest.raises(RecipeError) as raised:
        changed(winning(), values)
    assert str(raised.value) == line


def test_fields_that_go_together_are_set_in_any_order() -> None:
    values = {"network": "vgg", "weights": "random"}
    assert changed(transfer(), values) == changed(transfer(), dict(reversed(values.items())))


def test_another_network_begins_with_imagenets_weights_where_the_recipes_are_drawn() -> None:
    assert transfer().weights == "drawn" and changed(transfer(), {"network": "VGG16"}).weights == "imagenet"
    with pytest.raises(RecipeError, match="weights is drawn; give imagenet or random for network VGG16"):
        changed(transfer(), {"network": "VGG16", "weights": "drawn"})


def test_set_changes_fields_of_every_type_and_of_phases() -> None:
    values = {"width": "24", "dropout": "0.5", "local_average": "0", "optimizer": "adam", "gentle.rate": "0.05"}
    result = changed(winning(), values)
    assert (result.width, result.dropout, result.local_average, result.optimizer) == (24, 0.5, False, "adam")
    assert [phase.rate for phase in result.phases] == [1.0, 0.05]
    assert result != winning() == changed(winning(), {})


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_named_as_its_function_described_and_read_back_as_json(recipe: str) -> None:
    made = RECIPES[recipe]()
    assert made.name == recipe
    assert RECIPES[recipe].__doc__
    assert Recipe.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    lines = describe(made).splitlines()
    for line in lines[1:]:
        name, _, value = line.split()[0].partition("=")
        assert changed(made, {name: value}) == made, line


@pytest.mark.parametrize("values", [None, [], {}, {"phases": "x"}, {"phases": [1]}, {"phases": [{}]}])
def test_a_recipe_of_another_kind_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"^recipe: "):
        Recipe.from_dict(values)


@given(st.integers(1, 5000), st.integers(0, 1000), st.integers(1, 40))
def test_few_photographs_are_passed_until_there_are_enough_steps(photographs: int, steps: int, epochs: int) -> None:
    recipe = replace(winning(), steps=steps, epochs=epochs)
    planned = recipe.planned(photographs)
    an_epoch = math.ceil(photographs / recipe.batch_size)
    assert planned.epochs * an_epoch >= steps
    assert planned.epochs == epochs or (planned.epochs - 1) * an_epoch < steps
    assert planned.planned(photographs) == planned


def test_a_recipe_needs_phases_with_names_of_their_own() -> None:
    phase = Phase("p", 0.5, 1.0, 0.0, 0.0)
    for phases in ((), (phase, phase)):
        with pytest.raises(RecipeError, match="give one phase or more, each with its own name"):
            Recipe("mine", phases)
    with pytest.raises(RecipeError, match=r"^p\.rate is nan"):
        replace(phase, rate=math.nan)


def test_a_recipe_of_ones_own_has_the_name_that_it_is_chosen_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "wider", lambda: replace(winning(), width=32))
    wanted = parse(["--recipe", "wider"]).wanted
    assert wanted == replace(winning(), name="wider", width=32)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"width": 3200}, "width is 3200; give a whole number from 1 to 256"),
        ({"phases": list(winning().phases)}, "give phases between round brackets, as in (Phase(...), Phase(...))"),
    ],
)
def test_a_fault_in_a_recipe_of_ones_own_is_one_line(
    fields: dict[str, Any], fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(RECIPES, "wider", lambda: replace(winning(), **fields))
    with pytest.raises(SystemExit) as ended:
        parse(["--recipe", "wider"])
    line = capsys.readouterr().err
    assert ended.value.code == 2
    assert line.count("\n") == 1
    assert line.startswith("main.py: argument --recipe: wider of model/recipes.py: ")
    assert fault in line


def test_set_epochs_is_epoch_and_fewest_steps_do_not_prolong_it() -> None:
    assert parse(["--set", "epochs=3"]).wanted == parse(["--epoch", "3"]).wanted
    assert parse(["--set", "epochs=3", "--set", "steps=50"]).wanted.steps == 50

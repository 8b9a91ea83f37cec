"""What the photographs decide of a recipe."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.plan import plan, shorter_side
from model.recipes import changed, transfer, winning

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")
LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=400)


@given(LABELS, st.integers(8, 5000), st.sampled_from([transfer(), winning()]))
def test_every_plan_can_be_trained_and_leaves_the_rest_of_the_recipe_alone(labels, side, recipe) -> None:
    planned, lines = plan(recipe, labels, CLASSES, side)
    assert replace(planned, epochs=recipe.epochs, steps=recipe.steps, image_size=recipe.image_size) == recipe
    assert planned.epochs >= recipe.epochs
    assert planned.epochs * -(-len(labels) // recipe.batch_size) >= recipe.steps
    assert planned.image_size <= recipe.image_size
    assert all(": " in line for line in lines)


def test_few_photographs_get_more_epochs_and_the_line_says_why() -> None:
    planned, lines = plan(transfer(), [0] * 36 + [1] * 76 + [2] * 52 + [3] * 38, CLASSES, 320)
    assert planned.epochs == 24
    assert lines[0] == ("epochs 24, steps 312, of 16 photographs each: at least 300 steps, and 8 epochs have 104")
    assert lines[1] == "phases strong 18, gentle 6 epochs: shares of the recipe, at least an epoch each"


def test_photographs_are_not_enlarged() -> None:
    sizes = [plan(transfer(), [0, 1], CLASSES, side)[0].image_size for side in (0, 50, 100, 150, 223, 224, 3000)]
    assert sizes == [224, 96, 96, 128, 192, 224, 224]


def test_what_is_given_stays() -> None:
    recipe = replace(transfer(), epochs=2, steps=0)
    planned, lines = plan(recipe, [0, 1], CLASSES, 100, given=("epochs", "image_size"))
    assert (planned.epochs, planned.image_size) == (2, 224)
    assert lines[0].endswith(": given")
    assert "image size 224: given" in lines


def test_class_weights_are_listed_by_class_with_their_limit() -> None:
    lines = plan(transfer(), [0] * 300 + [1] * 67 + [2] * 3, CLASSES, 400)[1]
    assert next(line for line in lines if "class weights" in line) == (
        "class weights NORMAL 0.81, AMD 1.71, RVO 4.05: 1 / size ** 0.5, at most 5 to 1"
    )


def test_the_plan_promises_no_epochs_where_the_time_chooses_them() -> None:
    lines = plan(transfer(), [0, 1] * 50, ("NORMAL", "AMD"), 400, timed=True)[1]
    assert lines[0] == "epochs: as many as fit into the time of --hours, once the first has measured them"


@given(st.integers(1, 60), st.integers(1, 90))
@example(3, 15)
def test_no_line_is_wider_than_a_hundred_columns_with_plan_before_it(count: int, letters: int) -> None:
    classes = [f"{number:x<{letters}}" for number in range(count)]
    labels = [label for label in range(count) for _ in range(1 + 7 * label)]
    lines = plan(transfer(), labels, classes, 400)[1]
    for line in lines:
        assert len(f"plan: {line}") <= 100
    weights = next(line for line in lines if "class weights" in line)
    listed = len(re.findall(r"\b\d+x* \d\.\d\d\b", weights))
    assert f"and {count - listed} more" in weights or listed == count or f"of {count} classes" in weights


def test_of_many_classes_the_first_weights_are_listed() -> None:
    lines = plan(transfer(), range(40), [f"class{number}" for number in range(40)], 400)[1]
    assert next(line for line in lines if "class weights" in line) == (
        "class weights class0 1.00, class1 1.00, class2 1.00, class3 1.00, and 36 more: 1 / size ** 0.5"
    )


def test_the_shorter_side_is_the_median_of_the_files_that_can_be_read(tmp_path: Path) -> None:
    for number, (height, width) in enumerate([(40, 90), (60, 50), (70, 80)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((height, width, 3), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no photograph")
    assert shorter_side(sorted(tmp_path.iterdir())) == 50
    assert shorter_side([]) == 0


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_no_more_than_64_headers_are_read(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr("model.plan.read_header", lambda path: read.append(path) or _Size)
    assert shorter_side([Path(str(number)) for number in range(count)]) == 7
    assert min(count, 32) <= len(read) <= 64


class _Size:
    width, height = 9, 7


@pytest.mark.parametrize(("given", "ema"), [((), 0.95), (("ema",), 0.999)])
def test_weights_are_not_averaged_over_more_steps_than_leave_the_first_behind(
    given: tuple[str, ...], ema: float
) -> None:
    recipe = changed(winning(), {"epochs": 10, "ema": 0.999})
    planned, lines = plan(recipe, [0, 1] * 80, ("A", "B"), 0, given)  # 100 steps
    assert planned.ema == pytest.approx(ema)
    assert [line for line in lines if line.startswith(f"ema {ema:g}: ") and "the first weights" in line]


def test_more_steps_than_the_most_epochs_have_get_the_most_epochs() -> None:
    assert changed(winning(), {"steps": 1_000_000}).planned(16).epochs == 10_000

"""A learning rate of its own for each arm, and the forest plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from evidence.__main__ import main
from evidence.ablation import execute as executing
from evidence.ablation.arms import ARMS, BY_NAME, Record
from evidence.ablation.dataset import Dataset
from evidence.ablation.figures import Row, Table
from evidence.ablation.forest import draw_forest
from evidence.ablation.runs import Outcome, Run
from evidence.ablation.tuning import factors, trials, tuned
from evidence.bootstrap import Figure
from tests.ablation_samples import RECORD, draw_dataset, outcome, predictions

NOWHERE = Dataset("NOWHERE", Path(), Path(), ("NORMAL", "AMD"), (), np.zeros(0, int), "0")


def rates(runs: list[Run], name: str) -> list[float]:
    return [run.record.recipe.learning_rate for run in runs if run.arm.name == name]


def test_rates_lie_around_that_of_the_arm_and_arms_without_one_have_no_trial() -> None:
    assert factors(3) == pytest.approx([1 / 3, 1, 3]) and factors(2) == pytest.approx([1 / 3, 1])
    runs = trials(ARMS, RECORD, NOWHERE, 3, 7)
    assert rates(runs, "recipe") == rates(runs, "adam") == [0.001, 0.003, 0.009]
    assert not rates(runs, "largest_class") and not rates(runs, "sample_cnn")
    assert {run.cell for run in runs} == {(7, 0)} and len({run.name for run in runs}) == len(runs)


def test_each_arm_has_the_rate_with_the_highest_auc_the_usual_one_in_a_tie() -> None:
    arms = tuple(BY_NAME[name] for name in ("recipe", "adam", "no_local_average", "largest_class"))
    skills = {"recipe": (1, 1, 1), "adam": (0, 1, 3), "no_local_average": (0, 0, None)}

    def of(run: Run) -> Outcome:
        skill = skills[run.arm.name][(0.001, 0.003, 0.009).index(run.record.recipe.learning_rate)]
        return outcome(None, failed="the loss is not finite") if skill is None else outcome(predictions(1, skill=skill))

    runs = trials(arms, RECORD, NOWHERE, 3, 7)
    chosen, says = tuned(arms, RECORD, [(run, of(run)) for run in runs])
    assert [arm.change(RECORD).recipe.learning_rate for arm in chosen] == [0.003, 0.009, 0.003, 0.003]
    assert [arm.title for arm in chosen][:2] == ["the recipe", "Adam, not RAdam, rate 0.009"]
    assert (
        says
        == "Learning rates by macro AUC on another split: the recipe 0.003, Adam, not RAdam 0.009, no local average 0.003."
    )


def test_the_command_tries_the_rates_first_and_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Record] = []

    def execute(record: Record, dataset: Dataset, cache: Path) -> Outcome:
        made.append(record)
        return outcome(predictions(1, skill=record.recipe.learning_rate * 100))

    monkeypatch.setattr(executing, "execute", execute)
    monkeypatch.setattr("evidence.ablation.command._start", lambda threads: None)
    command = ["ablate", "--data", str(draw_dataset(tmp_path / "DRAWN")), "--folds", "2", "--recipe", "winning"]
    command += ["--only", "adam", "--tune", "3", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "DRAWN: 3 learning rates for each arm: 6 runs, 6 to make" in printed
    assert "DRAWN: 2 arms, 2 folds, 1 seed: 4 runs, 4 to make" in printed
    assert "Adam, not RAdam, rate 0.009" in printed and printed.count("Learning rates by macro AUC") == 2
    assert {record.settings.seed for record in made[:6]} == {1}
    assert [record.recipe.learning_rate for record in made[6:]] == [0.009] * 4
    assert main(command) == 0
    assert len(made) == 10


def test_no_forest_is_plotted_of_the_recipe_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "execute", lambda record, dataset, cache: outcome(predictions(1)))
    monkeypatch.setattr("evidence.ablation.command._start", lambda threads: None)
    command = ["ablate", "--data", str(draw_dataset(tmp_path / "DRAWN")), "--folds", "2", "--recipe", "winning"]
    assert main([*command, "--only", "recipe", "--out", str(tmp_path / "out")]) == 0
    assert "forest" not in capsys.readouterr().out


def test_frozen_features_of_photographs_that_are_too_small_are_left_out_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["ablate", "--data", str(draw_dataset(tmp_path / "DRAWN")), "--recipe", "winning", "--image_size", "16"]
    assert main([*command, "--only", "frozen_features", "--minutes", "0", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "left out: frozen features, which need photographs of 32 pixels or more, not 16" in printed
    assert "1 arm, " in printed


@pytest.mark.parametrize(("count", "tested"), [(1, True), (8, True), (3, False)])
def test_points_of_the_forest_plot_stand_at_their_labels_and_the_legend_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, tested: bool
) -> None:
    drawn: list[Canvas] = []
    monkeypatch.setattr(Canvas, "savefig", lambda figure, stream, **_: drawn.append(figure))
    three = (Figure(0.01, -0.02, 0.05),) * 3
    rows = tuple(Row(arm, three, three, three, three if tested else None, 1.0, 0) for arm in ARMS[1 : count + 1])
    draw_forest(Table(rows, ((0, 0),), 100, 200, 50, 0), "DRAWN", [tmp_path / "forest.png"])
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    (axes,), (legend,) = figure.axes, figure.legends
    frame, room = axes.get_window_extent(), axes.get_window_extent().height / count
    for place, label in enumerate(axes.get_yticklabels()):
        box = label.get_window_extent()
        for shift, line in zip((-0.12, 0.12) if tested else (0,), axes.containers, strict=True):
            assert line.lines[0].get_ydata()[place] == place + shift
            height = axes.transData.transform((0, place + shift))[1]
            assert abs(height - (box.y0 + box.y1) / 2) < room / 4 and frame.y0 < height < frame.y1
    assert legend.get_window_extent().y1 < frame.y0

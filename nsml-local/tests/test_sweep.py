"""Sweeps: a session for each combination of arguments, under one name."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Nsml, wait_until
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from program_helpers import PROGRAMS

from nsml.cli import sweep_table
from nsml.comparing.choosing import choose
from nsml.comparing.predictions_file import Predictions
from nsml.engine.sweep import arguments_of_point, points
from nsml.errors import NsmlError
from nsml.store.home import open_home
from nsml.store.sessions import ENDED, list_sessions


def _end() -> None:
    wait_until(lambda: all(session.status() in ENDED for session in list_sessions(open_home())))


def test_a_grid_is_every_combination_and_pairs_are_one_by_one() -> None:
    grid = ["learning_rate=0.001, 0.003", "--width=16,24"]
    assert [tuple(point.values()) for point in points(grid)] == [
        ("0.001", "16"), ("0.001", "24"), ("0.003", "16"), ("0.003", "24"),
    ]  # fmt: skip
    assert points(grid, pairs=True) == [
        {"learning_rate": "0.001", "width": "16"},
        {"learning_rate": "0.003", "width": "24"},
    ]
    assert points(["a=1,2"], seeds=2) == [{"a": a, "seed": s} for a in "12" for s in "01"]
    assert points([], folds=3) == [{"fold": "0"}, {"fold": "1"}, {"fold": "2"}]


def test_a_value_follows_its_option_and_a_field_its_name() -> None:
    (point,) = points(["learning_rate=0.1", "set  width=16"], folds=None)
    assert arguments_of_point(point) == ["--learning_rate", "0.1", "--set", "width=16"]
    assert arguments_of_point({"fold": "1"}, folds=5) == ["--fold", "1", "--folds", "5"]


@pytest.mark.parametrize(
    ("grid", "more"),
    [
        (["width"], {}), (["width="], {}), (["=1"], {}), (["a=1,"], {}), (["a=1", "a=2"], {}), (["seed=1"], {"seeds": 2}),
        (["a=1,2", "b=1"], {"pairs": True}), (["a=0.1,0.1"], {}), (["a=1,1", "b=2,2"], {"pairs": True}), ([], {"seeds": 1000}),
        (["mode=test"], {}), (["mode x=1"], {}),
    ],
)  # fmt: skip
def test_a_grid_that_says_nothing_clear_is_refused(grid: list[str], more: dict[str, int]) -> None:
    with pytest.raises(NsmlError):
        points(grid, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("grid", "more", "count"),
    [
        (["a=" + ",".join(map(str, range(300))), "b=1,2"], {"seeds": 2, "folds": 5}, "6,000"),
        ([f"{name}=" + ",".join(map(str, range(100))) for name in "abcdefgh"], {}, "10,000,000,000,000,000"),
        ([], {"seeds": 10**12}, "1,000,000,000,000"),
        (["a=" + ",".join(map(str, range(100)))] , {"pairs": True, "folds": 3}, "300"),
    ],
)  # fmt: skip
def test_a_sweep_of_too_many_sessions_is_refused_before_any_is_worked_out(
    grid: list[str], more: dict[str, int], count: str
) -> None:
    with pytest.raises(NsmlError, match=f"would have {count} sessions, more than 200"):
        points(grid, **more)  # type: ignore[arg-type]


def test_a_refused_sweep_uses_up_no_number(nsml: Nsml, home: Path) -> None:
    refused = nsml("run", "--env", "current", "--grid", "epoch=1,2", "-e", "missing.py")
    assert refused.status == 2 and list((home / "sessions" / "tester" / "none" / ".sweeps").iterdir()) == []


def test_a_name_that_argparse_takes_for_one_of_the_platforms_is_refused(nsml: Nsml, project: Path) -> None:
    options = "\n".join(f"parser.add_argument('--{name}')" for name in ("mode", "pause", "iteration", "iter"))
    (project / "main.py").write_text(
        f"import argparse\nparser = argparse.ArgumentParser()\n{options}\nparser.parse_args()"
    )
    refused = nsml("run", "--env", "current", "--grid", "pau=1")
    assert refused.status == 2 and "argparse takes --pau for --pause, which nsml itself sets" in refused.err
    assert nsml("run", "--env", "current", "--grid", "iter=1").status == 0
    _end()


def test_a_sweep_is_ranked_with_a_corrected_best(nsml: Nsml, project: Path) -> None:
    shutil.copy(PROGRAMS / "swept.py", project / "main.py")
    started = nsml("run", "--env", "current", "--grid", "right=0.5,0.75", "--seeds", "2")
    assert started.status == 0, started.err
    assert "Sweep tester/none/sweep-1 has 4 sessions" in started.out
    _end()
    table = nsml("compare", "--sweep", "none/sweep-1")
    lines = table.out.splitlines()
    assert lines[0].split() == ["Session", "Status", "right", "seed", "accuracy,", "%"]
    assert [line.split()[2] for line in lines[1:5]] == ["0.75", "0.75", "0.5", "0.5"]
    assert "75.0 (" in lines[1] and "over 40 patients. The best of 4 flatters itself" in table.out
    values = json.loads(nsml("compare", "--sweep", "none/sweep-1", "-j").out)
    assert 0.7 < values["corrected_accuracy"] < 0.8
    assert len(json.loads(nsml("ps", "--sweep", "none/sweep-1", "-j").out)) == 4
    assert nsml("logs", "none/sweep-1").out.count("==> ") == 4
    assert "sweep-1: right=0.5 seed=1" in nsml("ps", "-a").out
    assert nsml("stop", "none/sweep-1").err == "none of the 4 sessions of none/sweep-1 runs or waits\n"
    nsml("rm", "-f", "none/sweep-1")
    assert list_sessions(open_home()) == []


def test_a_checkpoint_that_is_saved_anew_while_it_is_compared_is_read_again(
    nsml: Nsml, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(PROGRAMS / "swept.py", project / "main.py")
    nsml("run", "--env", "current", "--grid", "right=0.5,0.75")
    _end()
    compare, looks = sweep_table._choice, []

    def saved_anew_at_first(rows: list[dict[str, Any]]) -> Any:
        looks.append(rows)
        if len(looks) == 1:
            best = rows[0]["_checkpoint"]
            shutil.copytree(best.folder, best.folder.with_name("best@2"))
            shutil.rmtree(best.folder)
        return compare(rows)

    monkeypatch.setattr(sweep_table, "_choice", saved_anew_at_first)
    sweep_table.show_sweep(open_home(), "none/sweep-1", as_json=False)
    assert len(looks) == 2 and "75.0 (" in capsys.readouterr().out


def test_only_what_did_not_reach_its_end_is_resumed(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    shutil.copy(PROGRAMS / "swept.py", project / "main.py")
    nsml("run", "--env", "current", "--grid", "width=0,1", "--grid", "right=0.5,0.6", "--zip")
    _end()
    assert [session.status() for session in list_sessions(open_home())] == ["Failed", "Exited"]
    (tmp_path / "go").touch()
    resumed = nsml("resume", "none/sweep-1", MAY_GO_ON=str(tmp_path / "go"))
    assert "none/1 has no checkpoint and is started anew" in resumed.out and "none/2 is Exited" in resumed.out
    _end()
    assert [session.status() for session in list_sessions(open_home())] == ["Exited", "Exited"]
    # A fork of a member is no member.
    nsml("fork", "none/2")
    assert len(json.loads(nsml("ps", "--sweep", "none/sweep-1", "-j").out)) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--zip"),
        ("run", "-i", "--seeds", "2"),
        ("compare", "--sweep", "none/1"),
        ("ps", "--sweep", "x/sweep-9"),
        ("compare",),
    ],
)
def test_what_is_no_sweep_is_refused_in_one_line(nsml: Nsml, words: tuple[str, ...]) -> None:
    refused = nsml(*words)
    assert refused.status == 2 and refused.err.count("\n") == 1


def _predictions(right: NDArray[np.bool_]) -> Predictions:
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    names = tuple(map(str, range(len(right))))
    return Predictions(names, names, ("NO", "YES"), np.zeros(len(right), np.int64), probabilities)


@given(st.integers(0, 2**32 - 1))
def test_the_best_of_many_equals_loses_what_it_owes_to_luck(seed: int) -> None:
    chance = np.random.default_rng(seed)
    members = [_predictions(chance.random(60) < 0.7) for _ in range(20)]
    choice = choose(members, [""] * 20, resamples=200)
    assert choice.corrected < max(accuracy.value for accuracy in choice.accuracies)


def test_the_correction_is_near_the_truth_on_average() -> None:
    chance = np.random.default_rng(0)
    corrected, best = [], []
    for _ in range(60):
        choice = choose([_predictions(chance.random(80) < 0.7) for _ in range(12)], [""] * 12, resamples=200)
        corrected.append(choice.corrected)
        best.append(max(accuracy.value for accuracy in choice.accuracies))
    assert np.mean(best) > 0.76 and abs(np.mean(corrected) - 0.7) < 0.02

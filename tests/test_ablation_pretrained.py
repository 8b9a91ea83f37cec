"""The arm of an ablation that begins with the weights of another training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence.__main__ import main
from model.checkpoint import network_files as weights
from tests import small_network
from tests.ablation_samples import draw_dataset

# Keras with NumPy 2, as it saves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")


@pytest.fixture
def command(tmp_path: Path, determinism_ends: None) -> list[str]:
    """The recipe for an epoch on drawn photographs, and the same with the weights of a network of other classes to begin with."""
    weights.save(tmp_path / "best", small_network.network(image_size=32, width=2, depth=2, seed=7))
    return [
        "ablate", "--data", str(draw_dataset(tmp_path / "DRAWN")), "--folds", "2", "--recipe", "winning",
        "--epoch", "1", "--image_size", "32", "--set", "depth=2", "--only", "recipe",
        "--pretrained", str(tmp_path / "best"), "--out", str(tmp_path / "out"),
    ]  # fmt: skip


def test_the_recipe_is_held_against_one_that_begins_with_other_weights(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--set", "width=2"]) == 0
    printed = capsys.readouterr().out
    assert "DRAWN: 2 arms, 2 folds, 1 seed: 4 runs, 4 to make" in printed and "\npretrained" in printed
    result = {
        path.name.partition("-")[0]: json.loads(path.read_text(encoding="utf-8"))
        for path in (tmp_path / "out" / "runs").glob("*-seed0-fold0-*.json")
    }
    assert result["recipe"]["validation"] != result["pretrained"]["validation"]


def test_weights_of_another_network_are_refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--set", "width=3"]) == 2
    errors = capsys.readouterr().err
    assert "argument --pretrained: " in errors and "it was trained with width 2" in errors


def test_an_arm_that_cannot_begin_is_named_before_the_first_run(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--set", "width=2", "--try", f"weights={tmp_path}/none.weights.h5"]) == 2
    assert f"{tmp_path}/none.weights.h5" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("runs/*.json"))

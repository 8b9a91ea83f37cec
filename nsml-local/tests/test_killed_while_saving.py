"""A save that ends at any step, by a kill or a full disk: the checkpoint is whole or absent, and the one before it is there."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsml.store.checkpoints import find_checkpoint, list_checkpoints, store

ROOT = Path(__file__).resolve().parents[2]
# What a save does to the disk, besides opening files.
STEPS = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir")


class Dead(BaseException):
    """Stands for SIGKILL: from here on nothing is done to the disk any more."""


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let the process die at its `step`th step; the steps that were asked for are told."""
    asked = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **keywords: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked >= step:
                raise Dead
            return real(*arguments, **keywords)

        return act

    for name in STEPS:
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    return lambda: asked


def save(folder: Path, text: str) -> None:
    def write(path: Path) -> None:
        (path / "inside").mkdir(parents=True)
        for name in ("a", "inside/b"):
            (path / name).write_text(text)

    store(folder, "best", write, elapsed=0.0, summary={})


def test_a_save_that_dies_at_any_step_leaves_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    step, asked, outcomes = 0, 1, set()
    while asked > step:
        step += 1
        folder = tmp_path / str(step)
        save(folder, "old")
        with pytest.MonkeyPatch.context() as patch:
            told = die_at(step, patch)
            try:
                save(folder, "new")
            except Dead:
                pass
            asked = told() if told() < step else step + 1
        (kept,) = list_checkpoints(folder)
        found = find_checkpoint(folder, "best", "s")
        found.verify()
        assert kept == found
        texts = {(found.model / name).read_text() for name in ("a", "inside/b")}
        assert texts in ({"old"}, {"new"})
        outcomes |= texts
    assert step > 8 and outcomes == {"old", "new"}


@pytest.mark.parametrize(("name", "times", "counted"), [("saving", 15, "kills"), ("full_disk", 40, "full disks")])
def test_random_moments_lose_nothing(name: str, times: int, counted: str) -> None:
    command = [sys.executable, "-m", "stress", name, "--times", str(times), "--seed", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and " 0 losses" in ended.stdout and counted in ended.stdout, ended.stdout + ended.stderr

"""A save that ends at any step, by a kill or a full disk: the checkpoint is whole or absent, and the one before it is there."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from nsml.store.checkpoints import find_checkpoint, list_checkpoints, store
from stress.dying import Dead, die_at

ROOT = Path(__file__).resolve().parents[2]


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
            steps = die_at(step, patch)
            with contextlib.suppress(Dead):
                save(folder, "new")
            asked = steps() if steps() < step else step + 1
        (saved,) = list_checkpoints(folder)
        checkpoint = find_checkpoint(folder, "best", "s")
        checkpoint.verify()
        assert saved == checkpoint
        texts = {(checkpoint.model / name).read_text() for name in ("a", "inside/b")}
        assert texts in ({"old"}, {"new"})
        outcomes |= texts
    assert step > 8 and outcomes == {"old", "new"}


@pytest.mark.parametrize(("name", "times", "counted"), [("saving", 15, "kills"), ("full_disk", 40, "full disks")])
def test_random_moments_lose_nothing(name: str, times: int, counted: str) -> None:
    command = [sys.executable, "-m", "stress", name, "--times", str(times), "--seed", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and " 0 losses" in ended.stdout and counted in ended.stdout, (
        ended.stdout + ended.stderr
    )

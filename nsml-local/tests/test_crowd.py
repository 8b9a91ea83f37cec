"""Many at once, and everything at random for a few seconds; `make stress` has the long forms."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "counted"),
    [("crowd", "6 runs, 6 submits, 0 losses"), ("load", "6 operations"), ("queue", "12 sessions")],
    ids=["crowd", "load", "queue"],
)
def test_at_once_and_at_random_nothing_is_lost(name: str, counted: str) -> None:
    command = [sys.executable, "-m", "stress", name, "--times", "6", "--seed", "3"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and counted in ended.stdout and " 0 losses" in ended.stdout, (
        ended.stdout + ended.stderr
    )

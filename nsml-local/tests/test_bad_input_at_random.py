"""Inputs that nobody meant, at random: every reader returns or refuses in one line."""

import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stress.bad_input import inputs
from stress.homes import nsml
from stress.targets import TARGETS, run_target

# What the template reads is tried with its own tests.
NAMES = [name for name in TARGETS if name not in ("weights file", "settings.json")]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_reader_returns_or_refuses(name: str, tmp_path: Path, data: st.DataObject) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own, on the programs that are made up
        assert run_target(name, data.draw(inputs(name)), tmp_path / "target") == ""


words = st.lists(
    st.sampled_from(
        ["run", "ps", "logs", "stop", "model", "ls", "rm", "submit", "dataset", "board", "show", "push", "fork", "resume",
         "plot", "diff", "compare", "memo", "command", "pull", "download", "exec", "-a", "-f", "-d", "-n", "-j", "-s", "-t",
         "--every", "--metric", "FUNDUS/1", "me/FUNDUS/1", "FUNDUS/*", ".", "best", "0", "-1", "1h", "--help", ""]
    )
    | st.text(st.characters(exclude_characters="\0"), max_size=12),
    max_size=6,
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(words)
def test_any_words_after_nsml_end_in_at_most_one_line_of_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for module in ("engines", "queue"):
        monkeypatch.setattr(f"nsml.engine.{module}.leave_supervisor", lambda folder: None)
    ended = nsml(*words)
    said = [line for line in ended.err.splitlines() if line.startswith("nsml: ")]
    assert ended.status in (0, 1, 2) and len(said) <= 1, (words, ended)
    assert ended.status == 0 or said or ended.out, (words, ended)
    assert "Traceback" not in ended.err and "bug in nsml" not in ended.err, (words, ended)

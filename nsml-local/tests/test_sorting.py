"""`nsml ps --sort`, and tags: `nsml run --tag`, `nsml tag`, `nsml ps --tag`."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import Nsml
from hypothesis import given
from hypothesis import strategies as st

from nsml.cli.ps import _sorted
from nsml.store.home import open_home
from nsml.store.metrics import MetricsWriter
from nsml.store.sessions import Session, create_session
from nsml.store.submissions import open_submission, record_score


def _session(*reports: dict[str, float], seconds: float | None = 1) -> Session:
    """An ended session with these reports, of which all but the first are in the summary."""
    session = create_session(open_home(), "tester", "none", {"kind": "run", "entry": "main.py", "arguments": []})
    writer = MetricsWriter(session.folder)
    for number, values in enumerate(reports):
        writer.append({"step": number, "time": 1.0, "values": values} | ({"summary": True} if number else {}))
    writer.close()
    times = {} if seconds is None else {"started_at": time.time() - seconds, "ended_at": time.time()}
    session.write_state("Exited", exit_status=0, **times)
    return session


def _order(nsml: Nsml, *words: str) -> list[int]:
    listed = nsml("ps", "-a", "-j", *words)
    assert listed.status == 0, listed.err
    return [int(row["name"].split("/")[-1]) for row in json.loads(listed.out)]


def test_sessions_are_listed_by_a_value_the_best_first_and_those_without_it_last(nsml: Nsml) -> None:
    _session({"val/score": 0.5, "val/loss": 2.0}, {"val/score": 0.7, "val/loss": 3.0}, seconds=5)
    _session({"hidden": 4.0}, {"val/score": 0.9, "val/loss": 1.0}, seconds=None)
    _session(seconds=9)
    _session({"val/score": 0.1, "val/loss": 0.5}, {"hidden": 8.0}, seconds=7)
    assert _order(nsml) == [4, 3, 2, 1]
    assert _order(nsml, "--sort", "-created") == [1, 2, 3, 4]
    assert _order(nsml, "--sort", "val/score") == [2, 1, 4, 3]
    assert _order(nsml, "--sort", "-val__score") == [4, 1, 2, 3]
    assert _order(nsml, "--sort", "val/loss") == [4, 2, 1, 3]
    assert _order(nsml, "--sort", "-val/loss", "-n", "2") == [1, 2]
    assert _order(nsml, "--sort", "hidden") == [4, 2, 3, 1]
    assert _order(nsml, "--sort", "duration") == [3, 4, 1, 2]
    for number, score in ((3, 1.0), (1, 5.0)):
        folder = open_submission(open_home(), "none")
        record_score(folder, user="tester", session=f"tester/none/{number}", checkpoint="1", score=score)
    assert _order(nsml, "--sort", "score") == [1, 3, 4, 2]


def test_a_value_that_no_session_has_is_refused_with_those_that_there_are(nsml: Nsml) -> None:
    _session({"val/score": 0.5})
    refused = nsml("ps", "-a", "--sort", "val/scor")
    assert refused.status == 2 and "created, duration, score, step, val/score" in refused.err
    assert nsml("ps", "--sort", "val/scor").status == 0  # nothing runs


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6))), st.booleans())
def test_to_sort_loses_no_row_and_reverses_all_but_the_missing(durations: list[float | None], back: bool) -> None:
    rows = [{"duration": value, "number": number} for number, value in enumerate(durations)]
    ordered = [row["duration"] for row in _sorted(rows, "-duration" if back else "duration", {})]
    there = [value for value in durations if value is not None]
    assert ordered == sorted(there, reverse=not back) + [None] * (len(durations) - len(there))


def test_tags_are_added_removed_listed_and_found(nsml: Nsml, project: Path) -> None:
    (project / "main.py").write_text("pass\n")
    nsml("run", "--tag", "paper", "--tag", "a.1", "-m", "first")
    _session()
    assert nsml("tag", "none/1", "-paper", "+hard", "+b").out == "Session tester/none/1: a.1 b hard\n"
    assert nsml("tag", "none/*", "+all", "-hard").out.splitlines()[1] == "Session tester/none/2: all"
    assert nsml("tag", "none/2").out == "Session tester/none/2: all\n"
    assert _order(nsml, "--tag", "all") == [2, 1] and _order(nsml, "--tag", "all", "--tag", "b") == [1]
    assert _order(nsml, "-s", "a.1") == [1]
    assert "[a.1 all b] first" in nsml("ps", "-a").out
    assert "--tag a.1 --tag all" in nsml("command", "none/1").out


def test_tags_that_several_terminals_change_at_once_are_all_stored(nsml: Nsml) -> None:
    session = _session()
    with ThreadPoolExecutor(8) as pool:
        for ended in pool.map(lambda number: nsml("tag", "none/1", f"+t{number}"), range(16)):
            assert ended.status == 0, ended.err
    assert session.tags() == sorted(f"t{number}" for number in range(16))


def test_of_a_tag_that_is_named_twice_the_last_word_counts(nsml: Nsml) -> None:
    _session()
    assert nsml("tag", "none/1", "+a", "-a", "-b", "+b").out == "Session tester/none/1: b\n"


@pytest.mark.parametrize(
    "words", [("tag", "none/1", "paper"), ("tag", "none/1", "+"), ("tag", "none/1", "+a b"), ("run", "--tag", "a/b")]
)
def test_what_is_no_tag_is_refused_in_one_line(nsml: Nsml, words: tuple[str, ...]) -> None:
    _session()
    refused = nsml(*words)
    assert refused.status == 2 and refused.err.count("\n") == 1
    assert nsml("tag", "none/1").out == "Session tester/none/1: no tags\n"


def test_where_nothing_matches_ps_says_what_it_looked_for(nsml: Nsml) -> None:
    assert nsml("ps", "-a").err == "there is no session; 'nsml run' starts one\n"
    create_session(open_home(), "tester", "none", {"kind": "run", "entry": "a", "arguments": []}).write_state("Stopped")
    assert nsml("ps", "--tag", "T").err == "no running session matches --tag T; 'nsml ps -a' also lists ended ones\n"
    assert nsml("ps", "-a", "--tag", "T", "-s", "a b").err == "no session matches --tag T -s 'a b'\n"
    assert nsml("ps", "-a").err == ""

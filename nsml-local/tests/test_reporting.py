"""`nsml.report` and `nsml.copy`."""

import json
import math
from pathlib import Path
from typing import Any

import numpy
import pytest
from helpers import Nsml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nsml
from nsml.session import context, reporting
from nsml.store.metrics import last_summary, read_metrics

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a fresh foreground session of this very process."""
    monkeypatch.setattr(context, "_current", None)
    monkeypatch.setattr(reporting, "_writer", None)
    return context.current().open_session().folder


def records(folder: Path) -> list[dict[str, Any]]:
    """What was reported, none of it damaged."""
    result, damage = read_metrics(folder)
    assert damage == ""
    return result


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(value=scalars | st.lists(scalars))
def test_what_json_can_hold_is_read_back_as_it_was(folder: Path, value: Any) -> None:
    nsml.report(step=1, value=value)
    assert records(folder)[-1]["values"] == {"value": value}


@pytest.mark.parametrize("value", [numpy.float32(0.5), numpy.float64(0.5), numpy.array(0.5), numpy.array([0.5])])
def test_numpy_scalars_are_stored_as_numbers(folder: Path, value: Any) -> None:
    nsml.report(loss=value)
    assert records(folder)[-1]["values"] == {"loss": 0.5}


@pytest.mark.parametrize("value", [numpy.array([1, 2]), object(), {1: 2}, b"bytes", {"a": {1}}])
def test_what_json_cannot_hold_is_a_type_error_that_names_the_key(folder: Path, value: Any) -> None:
    with pytest.raises(TypeError, match="train/loss"):
        nsml.report(train__loss=value)
    assert records(folder) == []


def test_a_double_underscore_is_a_group(folder: Path) -> None:
    nsml.report(step=0, train__loss=1.0, **{"val/loss": 2.0})
    assert records(folder)[0]["values"] == {"train/loss": 1.0, "val/loss": 2.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, numpy.float32("nan")])
def test_what_is_not_finite_is_null_in_json_and_shown_as_such(folder: Path, value: float) -> None:
    nsml.report(summary=True, loss=value)
    assert json.loads((folder / "metrics.jsonl").read_text())["values"] == {"loss": None}
    assert last_summary(folder) == {"loss": str(float(value))}


def test_steps_need_not_rise(folder: Path) -> None:
    for step in (5, 1, None, "warm-up"):
        nsml.report(step=step, x=1)
    assert [r["step"] for r in records(folder)] == [5, 1, None, "warm-up"]


def test_only_a_summary_is_shown_as_one(folder: Path) -> None:
    nsml.report(summary=True, step=1, x=1)
    nsml.report(False, step=2, x=2)
    assert last_summary(folder) == {"step": 1, "x": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(cut=st.integers(0, 60))
def test_a_torn_last_line_hides_no_other(folder: Path, cut: int) -> None:
    (folder / "metrics.jsonl").write_text("")
    nsml.report(summary=True, step=1, x=1)
    nsml.report(summary=True, step=2, x=2)
    content = (folder / "metrics.jsonl").read_bytes()
    first = content.index(b"\n") + 1
    (folder / "metrics.jsonl").write_bytes(content[: first + min(cut, len(content) - first - 2)])
    assert [r["step"] for r in read_metrics(folder)[0]] == [1]
    assert last_summary(folder) == {"step": 1, "x": 1}


def test_a_full_disk_does_not_end_the_program(project: Path, python: Nsml) -> None:
    (project / "p.py").write_text(
        "import resource, signal, nsml\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "nsml.report(step=0, x=1)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "for step in range(5): nsml.report(step=step, x=1)\n"
        "print('trained')\n"
    )
    ended = python("p.py")
    assert ended.out == "trained\n" and ended.err.count("values cannot be stored") == 1


class _Holder:
    def __init__(self, value: int) -> None:
        self.value = value


def test_copy_takes_over_the_attributes_of_an_object() -> None:
    target = _Holder(1)
    nsml.copy(_Holder(7), target)
    assert target.value == 7


def test_copy_takes_over_the_items_of_a_dict() -> None:
    target = {"a": 1, "b": 2}
    nsml.copy({"a": 3}, target)
    assert target == {"a": 3, "b": 2}


@pytest.mark.parametrize(("source", "target"), [([1], [2]), ({}, _Holder(1)), (1, 2)])
def test_copy_refuses_lists_and_two_of_different_types(source: Any, target: Any) -> None:
    with pytest.raises(TypeError):
        nsml.copy(source, target)

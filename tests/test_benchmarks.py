"""The benchmarks as they are started, and the arithmetic behind their tables. How fast anything is, no test says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import print_end
from benchmarks.records import (
    Comparison,
    Condition,
    Growth,
    Quantity,
    Record,
    fitted_exponent,
    from_dict,
    spread,
    to_dict,
)
from benchmarks.rows import ROWS, Plan
from benchmarks.table import WIDTH, markdown_table, number, terminal_table
from benchmarks.timing import Samples, Way, measure

ROOT = Path(__file__).resolve().parent.parent
PROMISED = (
    "load", "cache", "local_average", "exactness", "augment", "training", "pytorch", "predict", "one_image", "submit",
    "commands", "report", "start", "growth", "queue", "heartbeat", "slurm", "referee", "iterator_trap",
)  # fmt: skip
UNIT = Quantity("s")


def start(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "nsml-local" / "src")])
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        env={**os.environ, "PYTHONPATH": paths}, cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_list_names_every_benchmark() -> None:
    ended = start("--list")
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[0] for line in ended.stdout.splitlines()] == list(PROMISED)
    assert all(len(line.split()) > 3 for line in ended.stdout.splitlines())


def test_every_benchmark_has_a_module_that_runs_it() -> None:
    for name in ROWS:
        text = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        assert "\ndef benchmark(plan: Plan) -> list[Record]:" in text, name


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["load", "nonsense"],
        ["--slowly"],
        ["--from", "nowhere.json"],
        ["--from", "setup.py"],
        ["--json", "nowhere/file", "load"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line_and_exit_status_2(words: list[str]) -> None:
    ended = start(*words)
    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("benchmarks: ")


def test_ctrl_c_is_one_line(tmp_path: Path) -> None:
    program = "import benchmarks.__main__ as m, sys\ndef stop(*_): raise KeyboardInterrupt\nm.run = stop\nsys.exit(m.main([]))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "benchmarks: stopped\n")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a quick run of two benchmarks printed, and its JSON."""
    file = tmp_path_factory.mktemp("measured") / "measured.json"
    ended = start("commands", "local_average", "--quick", "--json", str(file))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, file


def test_json_holds_the_machine_and_each_record(measured: tuple[str, Path]) -> None:
    content = json.loads(measured[1].read_text(encoding="utf-8"))
    assert content["quick"] is True
    assert {"processor", "cores", "memory", "python", "tensorflow", "keras", "numpy", "opencv"} <= content[
        "machine"
    ].keys()
    assert content["results"].keys() == {"commands", "local_average"}
    for name, records in content["results"].items():
        comparisons = [record for record in records if record["kind"] == "comparison"]
        assert comparisons, name
        for record in comparisons:
            assert record["value"]["low"] <= record["value"]["median"] <= record["value"]["high"]
            assert record["baseline"] and record["unit"] == "ms"
            assert record["samples"] >= 3 and record["discarded"] >= 0 and record["disturbed"] >= 0
            assert (record["reached"] is None) == (record["target"] is None)
    conditions = [record for record in content["results"]["local_average"] if record["kind"] == "condition"]
    assert {record["target"] for record in conditions} == {1.0, 6.0}
    assert all(record["reached"] for record in conditions)


def test_the_tables_are_narrow_and_name_baselines_and_the_machine(measured: tuple[str, Path]) -> None:
    printed = measured[0]
    assert all(len(line) <= WIDTH for line in printed.splitlines())
    for words in ("python -c pass", "GaussianBlur formula at 512", "import nsml", "processor", "samples of each way"):
        assert words in printed


def test_what_missed_its_target_is_named_in_lines_as_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    missed = [Condition(f"largest difference of probability {n}", 2.0, "", "at most", 1.0) for n in range(9)]
    print_end({"machine": {"processor": "any"}, "seconds": {}, "quick": False, "results": {"predict": missed}})
    printed = capsys.readouterr().out
    assert "not reached: predict: largest difference of probability 0" in printed and "probability 8" in printed
    assert all(len(line) <= WIDTH for line in printed.splitlines())


def test_what_was_measured_can_be_shown_again_and_put_into_a_document(
    measured: tuple[str, Path], tmp_path: Path
) -> None:
    document = tmp_path / "document.md"
    document.write_text("before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n", encoding="utf-8")
    ended = start("--from", str(measured[1]), "--markdown", str(document), folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == measured[0]
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "old" not in text
    assert "### commands" in text and "python -c pass" in text


def test_a_document_without_a_place_for_the_tables_is_left_alone(measured: tuple[str, Path], tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("a text\n", encoding="utf-8")
    ended = start("--from", str(measured[1]), "--markdown", str(document), folder=tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert document.read_text(encoding="utf-8") == "a text\n"


def test_the_document_of_this_project_has_a_place_for_the_tables() -> None:
    text = (ROOT / "docs" / "reference" / "performance.md").read_text(encoding="utf-8")
    assert text.count("<!-- measured: begin -->") == text.count("<!-- measured: end -->") == 1


def test_benchmarks_do_not_travel_with_a_session() -> None:
    from nsml.engine.snapshot import list_snapshot

    assert not [name for name in list_snapshot(ROOT).files if str(name).startswith("benchmarks")]


positive = st.floats(1e-6, 1e6)


@given(
    exponent=st.floats(-3, 3),
    factor=positive,
    sizes=st.lists(st.integers(1, 10**6), min_size=2, max_size=6, unique=True),
)
def test_the_exponent_of_a_power_is_estimated(exponent: float, factor: float, sizes: list[int]) -> None:
    costs = [factor * size**exponent for size in sizes]
    assert fitted_exponent(sizes, costs) == pytest.approx(exponent, abs=1e-6)


@given(factor=positive, costs=st.lists(positive, min_size=3, max_size=3))
def test_the_exponent_does_not_depend_on_the_unit(factor: float, costs: list[float]) -> None:
    sizes = [10, 100, 1000]
    scaled = fitted_exponent(sizes, [factor * cost for cost in costs])
    assert scaled == pytest.approx(fitted_exponent(sizes, costs), abs=1e-6)


@given(pairs=st.lists(st.tuples(positive, st.floats(0.1, 10)), min_size=1, max_size=9))
def test_the_ratio_is_the_median_of_the_pairs(pairs: list[tuple[float, float]]) -> None:
    """However much the machine slows both ways down from one pair to the next."""
    samples = Samples((), {"old": [a * ratio for a, ratio in pairs], "new": [a for a, _ in pairs]})
    ratios = sorted(ratio for _, ratio in pairs)
    middle = (ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2
    faster = samples.faster("new", "old", UNIT, 1.0)
    assert faster.ratio.median == pytest.approx(middle)
    assert (faster.ratio.low, faster.ratio.high) == pytest.approx((ratios[0], ratios[-1]))
    assert faster.reached == (faster.ratio.median >= 1.0)
    assert samples.longer("old", "new", UNIT).ratio.median == pytest.approx(middle)
    differences = sorted(a * ratio - a for a, ratio in pairs)
    later = samples.later("old", "new", UNIT)
    assert later.ratio.low == pytest.approx(differences[0]) and later.reached is None


def test_ways_take_turns_in_alternating_order() -> None:
    calls: list[str] = []
    measure([Way(name, lambda name=name: calls.append(name)) for name in "ab"], 4, least=0, warm=False, retries=0)
    assert "".join(calls) == "abbaabba"


def test_disturbed_samples_are_taken_anew_until_too_many_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.timing.Watch.disturbed", lambda self: True)
    calls: list[int] = []
    samples = measure([Way("a", lambda: calls.append(1))], 3, least=0, warm=False, retries=4)
    assert (samples.discarded, samples.disturbed, len(calls)) == (4, 3, 7)
    assert len(samples.seconds["a"]) == 3


def test_a_way_that_tells_its_own_seconds_is_believed() -> None:
    samples = measure([Way("a", lambda: 6.0, items=3)], 2, least=0, warm=False, retries=0)
    assert samples.seconds["a"] == [2.0, 2.0]


words = st.text("abc xyz-", min_size=1, max_size=70)
values = st.floats(0, 1e9)
spreads = st.lists(values, min_size=1, max_size=5).map(spread)
bounds = st.sampled_from([(None, None), ("at least", 2.0), ("at most", 3.5)])
relations = st.sampled_from(["times as fast", "times the time", "seconds more", "times the memory"])


@st.composite
def records(draw: st.DrawFn) -> Record:
    bound, target = draw(bounds)
    kind = draw(st.integers(0, 2))
    if kind == 0:
        shown = draw(spreads), draw(spreads), draw(relations), draw(spreads)
        return Comparison(draw(words), draw(words), "images/s", *shown, bound, target, draw(st.integers(1, 99)))
    if kind == 1:
        return Condition(draw(words), draw(values), "grey levels", bound, target)
    sizes = draw(st.lists(st.integers(1, 10**6), min_size=2, max_size=4, unique=True))
    costs = draw(st.lists(positive, min_size=len(sizes), max_size=len(sizes)))
    return Growth(draw(words), "photographs", tuple(sizes), tuple(costs), "ms", bound, target)


@given(result=st.lists(records(), max_size=4))
def test_any_records_fit_the_tables_and_come_back_from_json(result: list[Record]) -> None:
    assert all(len(line) <= WIDTH for line in terminal_table("a title", result).splitlines())
    rows = [line for line in markdown_table("a title", result).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert [from_dict(json.loads(json.dumps(to_dict(record)))) for record in result] == result


@given(value=st.floats(-1e9, 1e9))
def test_a_number_keeps_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=6e-3, abs=1e-12)


def test_a_plan_in_a_hurry_takes_the_smaller_number() -> None:
    assert [Plan(Path(), quick).rounds(9, 3) for quick in (False, True)] == [9, 3]


def test_the_network_in_pytorch_gives_the_same_probabilities() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.networks import settings
    from benchmarks.pytorch import translate
    from model.network import new_network

    ours = new_network(settings(32, 4)).model
    theirs = translate(ours).eval()
    for layer in ours.layers:
        arrays = layer.get_weights()
        if layer.name in theirs.parts and arrays:
            arrays[0] = arrays[0].transpose(3, 2, 0, 1) if arrays[0].ndim == 4 else arrays[0].T
            for (_, value), array in zip(theirs.parts[layer.name].state_dict().items(), arrays, strict=False):
                value.copy_(torch.from_numpy(array))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        probabilities = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2))).softmax(1)
    np.testing.assert_allclose(probabilities.numpy(), ours(images, training=False), rtol=1e-4)

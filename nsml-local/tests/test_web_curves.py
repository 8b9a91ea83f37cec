"""The graphs of the page: names, smoothing, downsampling, and reading while a session writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml.store.metrics import MetricsWriter

pandas = pytest.importorskip("pandas", reason="the reference of the smoothing")
pytest.importorskip("tsdownsample", reason="the page needs nsml-local[web]")

from nsml.web.chart import View, options, x_values  # noqa: E402
from nsml.web.curves import MAX_POINTS, Curves, Name, downsample, parse_name, phase_spans, smooth  # noqa: E402
from nsml.web.texts import Texts  # noqa: E402

FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("name", "parsed", "group"),
    [
        ("train/loss", Name("train/loss", "", ""), "train"),
        ("loss", Name("loss", "", ""), ""),
        ("train/loss@std", Name("train/loss", "std", ""), "train"),
        ("recall@vector:AMD", Name("recall", "vector", "AMD"), ""),
        ("a/b/c@stack:x:y", Name("a/b/c", "stack", "x:y"), "a"),
        ("mail@example", Name("mail@example", "", ""), ""),
        ("loss@std:x", Name("loss@std:x", "", ""), ""),
        ("recall@vector", Name("recall@vector", "", ""), ""),
        ("@std", Name("@std", "", ""), ""),
    ],
)
def test_a_name_is_parsed_as_the_contract_says(name: str, parsed: Name, group: str) -> None:
    assert (parse_name(name), parse_name(name).group) == (parsed, group)


@given(st.lists(FINITE, min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_smoothing_is_the_exponential_average_of_pandas(values: list[float], weight: float) -> None:
    reference = pandas.Series(values).ewm(alpha=1 - weight, adjust=True).mean()
    assert np.allclose(smooth(np.array(values), weight), reference, rtol=1e-6, atol=1e-6)


def test_smoothing_ignores_values_that_are_not_finite() -> None:
    smoothed = smooth(np.array([1.0, np.nan, 3.0]), 0.5)
    assert np.isnan(smoothed[1])
    assert smoothed[2] == pytest.approx((0.5 * 1 + 3) / 1.5)


@given(st.integers(MAX_POINTS + 1, 20_000), st.integers(0, 2**32 - 1))
def test_downsampling_keeps_the_ends_the_extremes_and_the_order(count: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=count).cumsum()
    chosen = downsample(y)
    assert len(chosen) <= MAX_POINTS
    assert (np.diff(chosen) > 0).all()
    assert (chosen[0], chosen[-1]) == (0, len(y) - 1)
    assert (y[chosen].max(), y[chosen].min()) == (y.max(), y.min())


@given(st.lists(FINITE, max_size=MAX_POINTS))
def test_a_short_line_keeps_every_point(values: list[float]) -> None:
    assert len(downsample(np.array(values, dtype=float))) == len(values)


def test_later_values_are_added_and_never_read_twice(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    curves = Curves(tmp_path)
    assert not curves.read_new()
    for step in range(5):
        writer.append({"step": step, "time": 10.0 + step, "values": {"loss": step / 2}})
        assert curves.read_new()
        assert not curves.read_new()
    writer.close()
    assert list(curves.curves["loss"].values) == [0, 0.5, 1, 1.5, 2]
    assert x_values(curves.curves["loss"], curves, "relative").tolist() == [0, 1, 2, 3, 4]


def test_a_half_written_line_is_read_when_it_is_complete(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    writer.append({"step": 1, "time": 1.0, "values": {"loss": 1.0}})
    writer.close()
    path = tmp_path / "metrics.jsonl"
    content = path.read_bytes()
    path.write_bytes(content + content[:20])
    curves = Curves(tmp_path)
    curves.read_new()
    path.write_bytes(content + content)
    curves.read_new()
    assert (len(curves.curves["loss"]), curves.damaged) == (2, 0)


def test_a_damaged_line_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for step in range(3):
        writer.append({"step": step, "time": 1.0, "values": {"loss": 1.0}})
    writer.close()
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"loss", b"l0ss")
    path.write_bytes(b"\n".join(lines))
    curves = Curves(tmp_path)
    curves.read_new()
    assert (len(curves.curves["loss"]), curves.damaged) == (2, 1)


def test_a_replaced_file_is_read_from_its_start(tmp_path: Path) -> None:
    for values in ([1.0, 2.0, 3.0], [7.0]):
        (tmp_path / "metrics.jsonl").unlink(missing_ok=True)
        writer = MetricsWriter(tmp_path)
        for value in values:
            writer.append({"step": 0, "time": 1.0, "values": {"loss": value}})
        writer.close()
        curves = locals().get("curves") or Curves(tmp_path)
        curves.read_new()
    assert list(curves.curves["loss"].values) == [7.0]


def test_a_phase_lasts_until_the_next_is_named(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for step, phase in enumerate(["strong", "strong", "gentle", "gentle"]):
        writer.append({"step": step, "time": 100.0 + step, "values": {"loss": 1.0, "phase": phase}})
    writer.close()
    curves = Curves(tmp_path)
    curves.read_new()
    assert phase_spans(curves.phases, 3, by_time=False) == [(0, 2, "strong"), (2, 3, "gentle")]
    drawn = options("loss", {"s": curves}, View(), Texts("en"))["series"][-1]["markArea"]
    # That of a phase that has just begun would stand beyond the axis otherwise.
    assert drawn["data"][-1][0]["label"] == {"position": "insideTopRight"}
    areas = drawn["data"]
    assert [(a["name"], a["xAxis"], b["xAxis"]) for a, b in areas] == [("strong", 0, 2), ("gentle", 2, 3)]


def test_a_deviation_is_a_band_around_its_value(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    writer.append({"step": 1, "time": 1.0, "values": {"loss": 2.0, "loss@std": 0.5}})
    writer.append({"step": 2, "time": 2.0, "values": {"loss": 1.0, "loss@std": 0.25}})
    writer.close()
    curves = Curves(tmp_path)
    curves.read_new()
    series = {line["name"]: line for line in options("loss", {"s": curves}, View(), Texts("en"))["series"]}
    assert series["s -std"]["data"] == [[1, 1.5], [2, 0.75]]
    assert series["s +std"]["data"] == [[1, 1.0], [2, 0.5]]
    assert series["s -std"]["stack"] == series["s +std"]["stack"]


def test_a_logarithmic_axis_skips_values_without_a_logarithm(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    for step, value in enumerate([1.0, 0.0, -1.0, 10.0]):
        writer.append({"step": step, "time": 1.0, "values": {"loss": value}})
    writer.close()
    curves = Curves(tmp_path)
    curves.read_new()
    drawn = options("loss", {"s": curves}, View(logarithmic=True), Texts("en"))
    assert drawn["yAxis"]["type"] == "log"
    assert drawn["series"][0]["data"] == [[0, 1], [3, 10]]


@pytest.mark.parametrize("name", ["loss", "loss@vector:AMD", "loss@stack:AMD"])
def test_a_line_of_one_point_is_drawn_as_a_point(tmp_path: Path, name: str) -> None:
    writer, curves = MetricsWriter(tmp_path), Curves(tmp_path)
    for step, symbol in ((1, True), (2, False)):
        writer.append({"step": step, "time": 1.0, "values": {name: 0.5}})
        curves.read_new()
        for view in (View(), View(smoothing=0.6)):
            drawn = options("loss", {"s": curves}, view, Texts("en"))["series"]
            assert [(len(line["data"]), line["showSymbol"]) for line in drawn] == [(step, symbol)] * len(drawn)


def test_a_line_of_which_a_logarithmic_axis_leaves_one_point_is_drawn_as_a_point(tmp_path: Path) -> None:
    writer, curves = MetricsWriter(tmp_path), Curves(tmp_path)
    for step, value in enumerate((0.0, 0.5)):
        writer.append({"step": step, "time": 1.0, "values": {"loss": value}})
    curves.read_new()
    (line,) = options("loss", {"s": curves}, View(logarithmic=True), Texts("en"))["series"]
    assert (line["data"], line["showSymbol"]) == ([[1, 0.5]], True)

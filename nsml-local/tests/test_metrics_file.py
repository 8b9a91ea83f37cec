"""`metrics.jsonl` from its first line on."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nsml.store.metrics import FILE, MetricsWriter, read_metrics


def record(step: int) -> dict[str, object]:
    return {"step": step, "values": {"loss": 1.0 / (step + 1)}}


def test_there_is_no_file_before_there_is_a_line(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path)
    assert list(tmp_path.iterdir()) == []
    writer.append(record(0))
    writer.append(record(1))
    writer.close()
    assert [result["step"] for result in read_metrics(tmp_path)[0]] == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_whoever_is_killed_at_the_first_line_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", killed)
    with pytest.raises(KeyboardInterrupt):
        MetricsWriter(tmp_path).append(record(0))
    assert read_metrics(tmp_path) == ([], "")


def test_processes_that_begin_at_once_lose_no_line(tmp_path: Path) -> None:
    def report(step: int) -> None:
        writer = MetricsWriter(tmp_path)
        writer.append(record(step))
        writer.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(report, range(24)))
    records, damage = read_metrics(tmp_path)
    assert sorted(result["step"] for result in records) == list(range(24)) and damage == ""


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_on_which_a_file_has_one_name_only_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    writer = MetricsWriter(tmp_path)
    writer.append(record(0))
    writer.append(record(1))
    writer.close()
    assert [result["step"] for result in read_metrics(tmp_path)[0]] == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]

"""The checksum in front of stored JSON."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml.errors import Damaged
from nsml.store.files import read_json, write_json
from nsml.store.metrics import MetricsWriter, last_summary, read_metrics
from nsml.store.sealing import BLANK, MEMBER, seal, unseal

UNSEALED = frozenset({"status"})
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
records = st.dictionaries(st.text().filter(lambda name: name != MEMBER), values, max_size=5)


def sealed(record: dict[str, object], indent: int | None = None) -> bytes:
    return seal(json.dumps({MEMBER: BLANK, **record}, ensure_ascii=False, indent=indent))


@given(records, st.sampled_from([None, 1]))
def test_a_record_is_read_back_as_it_was_written(record: dict[str, object], indent: int | None) -> None:
    assert unseal(sealed(record, indent), UNSEALED) == record


@given(records, st.integers(0), st.integers(1, 255), st.sampled_from([None, 1]))
def test_every_changed_byte_is_noticed(record: dict[str, object], place: int, mask: int, indent: int | None) -> None:
    content = bytearray(sealed(record, indent))
    content[place % len(content)] ^= mask
    with pytest.raises(ValueError, match=r"checksum|JSON"):
        unseal(bytes(content), UNSEALED)


@given(records, st.integers(0), st.binary(max_size=8))
def test_what_is_cut_off_or_put_in_is_noticed(record: dict[str, object], place: int, put_in: bytes) -> None:
    content = sealed(record)
    at = place % len(content)
    changed = content[:at] + put_in + (content[at:] if put_in else b"")
    with pytest.raises(ValueError, match=r"checksum|JSON"):
        unseal(changed, UNSEALED)


def test_what_was_written_before_there_were_checksums_is_read(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{\n "status": "Exited",\n "exit_status": 0\n}\n')
    assert read_json(tmp_path / "state.json") == {"status": "Exited", "exit_status": 0}
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "time": 1.5, "values": {"loss": 0.5}, "summary": true}\n')
    assert last_summary(tmp_path) == {"step": 1, "loss": 0.5} and read_metrics(tmp_path)[1] == ""


def test_bytes_that_are_not_utf_8_are_unchanged(tmp_path: Path) -> None:
    words = [b"caf\xe9".decode("utf-8", "surrogateescape"), "안저"]
    write_json(tmp_path / "a.json", {"arguments": words})
    assert read_json(tmp_path / "a.json")["arguments"] == words


def test_a_number_that_json_does_not_have_is_damage(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"status": NaN}')
    with pytest.raises(Damaged, match=r"a\.json is damaged \(not valid JSON\)"):
        read_json(tmp_path / "a.json")


def test_a_damaged_line_of_metrics_is_counted_and_hides_no_other(tmp_path: Path) -> None:
    _append(tmp_path, 0, 1, 2)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"step": 1', b'"step": 7'))
    records, line = read_metrics(tmp_path)
    assert [record["step"] for record in records] == [0, 2]
    assert "metrics.jsonl is damaged: 1 of its 3 lines cannot be read" in line


def test_lines_after_a_torn_line_are_read(tmp_path: Path) -> None:
    _append(tmp_path, 0, 1)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    _append(tmp_path, 2, 3)
    assert [record["step"] for record in read_metrics(tmp_path)[0]] == [0, 2, 3]


def _append(folder: Path, *steps: int) -> None:
    writer = MetricsWriter(folder)
    for step in steps:
        writer.append({"step": step, "time": 0.0, "values": {"x": step}})
    writer.close()

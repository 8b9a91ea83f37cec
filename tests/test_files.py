"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataprep.files import replacing


def test_a_file_takes_its_place_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("private", "others"), [(True, 0), (False, 0o044)])
def test_what_shows_patients_is_for_its_owner_alone(tmp_path: Path, private: bool, others: int) -> None:
    with replacing(tmp_path / "x", private=private) as temporary:
        assert temporary.stat().st_mode & 0o044 & ~0o022 == others
    assert (tmp_path / "x").stat().st_mode & 0o077 & ~0o033 == others

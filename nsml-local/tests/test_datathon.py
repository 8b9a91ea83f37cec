"""A whole competition between accounts; `python -m stress datathon` has the long form."""

import tempfile
from pathlib import Path

import pytest

from stress.datathon import Datathon, interpreter


def test_a_datathon_of_three_days_ends_in_a_ranking_that_a_restored_backup_has_too() -> None:
    try:
        interpreter()
    except OSError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory() as folder:  # one of pytest is closed to other accounts
        counts = Datathon(Path(folder), 2, per_day=1, metric="fundus").run()  # which imports no scikit-learn
    assert counts.losses == []
    assert counts.done == {"scored": 5, "refused": 8, "kills": 2, "teams": 2}

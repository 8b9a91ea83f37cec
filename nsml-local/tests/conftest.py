"""A home of its own for every test, a competitor's folder, a dataset and a session that has ended."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import PROGRAM, Ended, Nsml, make_dataset, run_command, run_nsml, start_and_wait
from hypothesis import settings

from nsml.engine.family import end_strays
from nsml.engine.isolation import why_not
from nsml.engine.resources import set_side_by_side
from nsml.errors import NsmlError
from nsml.store.home import Home, open_home
from nsml.store.sessions import list_sessions

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker is measured since its start, but not all that it starts.
    os.environ.pop("COVERAGE_PROCESS_START", None)
# Those of the library within programs, and of what organisers bring along.
_WHOSE_PROGRAMS_ARE_MEASURED = {
    "test_answering",
    "test_caching",
    "test_copying_out",
    "test_hooks",
    "test_organiser",
    "test_other_test_data",
    "test_programs_hooks",
    "test_programs_infer",
    "test_reporting",
}

# A busy machine is no failure, so no example has a deadline.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """NSML_HOME in a temporary folder; the user is called `tester`, and sessions run side by side. Nothing of a lost one is left."""
    folder = tmp_path_factory.mktemp("home") / "home"
    set_side_by_side(open_home(folder), 1000)
    for name in ("NSML_DATASET", "NSML_LAUNCH", "NSML_DEBUG", "NSML_ENGINE", "NSML_SLURM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NSML_HOME", str(folder))
    monkeypatch.setenv("NSML_USER", "tester")
    monkeypatch.setenv("COLUMNS", "100")
    yield folder
    with contextlib.suppress(OSError, NsmlError):
        for session in list_sessions(Home(folder), but_for_ended=True):
            end_strays(Home(folder), session)


@pytest.fixture(autouse=True)
def measured_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where coverage is measured, measure the programs that these tests start too; in all others it would cost more than it shows."""
    if request.path.stem in _WHOSE_PROGRAMS_ARE_MEASURED and "COVERAGE_FILE" in os.environ:
        monkeypatch.setenv("COVERAGE_PROCESS_START", os.environ["COVERAGE_RCFILE"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A competitor's folder with a working `main.py`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM)
    return folder


@pytest.fixture
def nsml(project: Path) -> Nsml:
    """`nsml(...)` runs the command in the competitor's folder."""

    def run(*arguments: str, folder: Path = project, **environment: str) -> Ended:
        return run_nsml(arguments, folder, **environment)

    return run


@pytest.fixture
def python(project: Path) -> Nsml:
    """`python(...)` runs a program of the competitor's folder by hand."""

    def run(*arguments: str, **environment: str) -> Ended:
        return run_command([sys.executable, *arguments], project, **environment)

    return run


@pytest.fixture
def dataset(tmp_path: Path, nsml: Nsml) -> str:
    """A registered dataset of four classes that PROGRAM predicts without a mistake."""
    pushed = nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "source")))
    assert pushed.status == 0, pushed.err
    return "FUNDUS"


@pytest.fixture
def can_isolate() -> None:
    """Skips the test where no program can be isolated."""
    if why := why_not():
        pytest.skip(f"no program can be isolated here: {why}")


@pytest.fixture
def isolated(tmp_path: Path, nsml: Nsml, can_isolate: None) -> Path:
    """The source of dataset FUNDUS, which was pushed with --isolate."""
    source = make_dataset(tmp_path / "source")
    pushed = nsml("dataset", "push", "FUNDUS", str(source), "--isolate")
    assert pushed.status == 0, pushed.err
    assert "every program is isolated" in pushed.out
    return source


@pytest.fixture
def trained(nsml: Nsml, dataset: str) -> str:
    """The name of a session that has ended well, with checkpoints 0, 1 and best."""
    return start_and_wait(nsml)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The page's tests first: they wait more than they work, and left to the end they would keep one processor alone."""
    items.sort(key=lambda item: not item.path.name.startswith("test_web"))

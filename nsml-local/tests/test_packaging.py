"""What travels to a registry: the wheel and the source archive."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest

import nsml
from nsml.cli.new import FUNDUS
from nsml.errors import install

pytest.importorskip("hatchling", reason="requirements-dev.txt names hatchling, which builds the package")
ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://git.example/team/fundus"


def build(source: Path, target: Path, *kinds: str, **environment: str) -> list[Path]:
    """Build without git, so that only `environment` says where the repository is."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target / "dist"), *kinds],
        cwd=source,
        env={**os.environ, "GIT_DIR": os.devnull, **environment},
        check=True,
        capture_output=True,
    )
    return sorted((target / "dist").iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source archive and the wheel."""
    wheel, archive = build(ROOT, tmp_path_factory.mktemp("built"), NSML_REPOSITORY="git@git.example:team/fundus.git")
    return archive, wheel


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as file:
        name = next(name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(file.read(name).decode("utf-8"))


def test_wheel_and_archive_hold_the_licence_of_the_repository(built: tuple[Path, Path]) -> None:
    archive, wheel = built
    wanted = (ROOT.parent / "LICENSE").read_bytes()
    with zipfile.ZipFile(wheel) as file:
        assert file.read(f"nsml_local-{nsml.__version__}.dist-info/licenses/LICENSE") == wanted
    with tarfile.open(archive) as file:
        member = file.extractfile(f"nsml_local-{nsml.__version__}/LICENSE")
        assert member is not None and member.read() == wanted


def test_the_wheel_holds_the_fundus_template_as_it_stands_in_the_repository(built: tuple[Path, Path]) -> None:
    inside = "nsml/examples/fundus/"
    with zipfile.ZipFile(built[1]) as file:
        held = {name.removeprefix(inside): file.read(name) for name in file.namelist() if name.startswith(inside)}
    assert {name.partition("/")[0] for name in held} == set(FUNDUS)
    assert held == {name: (ROOT.parent / name).read_bytes() for name in held}


def test_the_registrys_page_has_authors_urls_and_links_that_work_there(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    archive, wheel = built
    shown = metadata_of(wheel)
    assert shown["Author"] and shown["License-Expression"] == "Apache-2.0"
    urls = dict(line.split(", ") for line in shown.get_all("Project-URL", []))
    assert urls["Source"] == REPOSITORY and urls["Issues"] == f"{REPOSITORY}/issues"
    text = str(shown.get_payload())
    links = re.findall(r"\]\s?\(([^)]+)\)", text)
    assert len(links) >= 3 and all(link.startswith("https://") for link in links)
    for link in links:
        assert (ROOT.parent / link.removeprefix(f"{REPOSITORY}/blob/main/")).is_file()
    # A wheel that is built from the archive, where there is no repository, says and holds the same.
    with tarfile.open(archive) as file:
        file.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later have it
        file.extractall(tmp_path)
    (again,) = build(tmp_path / f"nsml_local-{nsml.__version__}", tmp_path / "again", "-t", "wheel")
    assert metadata_of(again).items() == shown.items()
    with zipfile.ZipFile(again) as one, zipfile.ZipFile(wheel) as other:
        assert one.namelist() == other.namelist()


def test_without_a_known_repository_there_is_no_link_that_leads_nowhere(tmp_path: Path) -> None:
    (wheel,) = build(ROOT, tmp_path, "-t", "wheel", NSML_REPOSITORY="")
    shown = metadata_of(wheel)
    assert shown.get_all("Project-URL") is None
    assert "](../" not in str(shown.get_payload()) and "`docs/how-to/organise.md`" in str(shown.get_payload())


def test_the_registry_takes_both(built: tuple[Path, Path]) -> None:
    pytest.importorskip("twine", reason="twine is not installed")
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("source", "command"),
    [
        (None, "pip install 'nsml-local[web]'"),
        ('{"url": "file:///a%20b/nsml-local", "dir_info": {}}', "pip install '/a b/nsml-local[web]'"),
        ('{"url": "file:///a/nsml-local", "dir_info": {"editable": true}}', "pip install -e '/a/nsml-local[web]'"),
        ('{"url": "file:///a/b.whl", "archive_info": {}}', "pip install '/a/b.whl[web]'"),
        (
            '{"url": "https://x.org/r.git", "vcs_info": {"vcs": "git"}, "subdirectory": "nsml-local"}',
            "pip install 'nsml-local[web] @ git+https://x.org/r.git#subdirectory=nsml-local'",
        ),
        ("damaged", "pip install 'nsml-local[web]'"),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came(
    monkeypatch: pytest.MonkeyPatch, source: str | None, command: str
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            return source

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed())
    assert install("web") == command

"""requirements-lock.txt, from which `make setup` installs, holds what setup.py, the tools and nsml-local ask for."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nsml.engine.requirements import read_needs

ROOT = Path(__file__).resolve().parent.parent
LOCKED = re.findall(
    r"^([\w.-]+)==(\S+?)((?: ; [^\n]*?)?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    (ROOT / "requirements-lock.txt").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def asked_for() -> list[str]:
    project = tomllib.loads((ROOT / "nsml-local" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    tools = [line.split("#")[0].strip() for line in lines]
    extras = [need for needs in project["optional-dependencies"].values() for need in needs]
    return [*read_needs(ROOT).packages, *project["dependencies"], *extras, *filter(None, tools)]


def test_every_locked_version_has_hashes() -> None:
    lines = (ROOT / "requirements-lock.txt").read_text(encoding="utf-8").splitlines()
    assert len(LOCKED) == len([line for line in lines if re.match(r"\w", line)]) > 50


def test_the_lock_holds_a_version_of_every_package_that_is_asked_for() -> None:
    versions = {canonicalize_name(name): version for name, version, _, _ in LOCKED}
    needs = [Requirement(text) for text in asked_for()]
    assert len(needs) > 20
    assert [
        str(need) for need in needs if not need.specifier.contains(versions.get(canonicalize_name(need.name), "0"))
    ] == []


def test_the_lock_has_one_version_of_a_package_for_all_systems() -> None:
    names = [name for name, _, _, _ in LOCKED]
    assert len(names) == len(set(names))

"""The layer that a session is given for what its project needs."""

import hashlib
import io
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait, wait_until

from nsml.engine import environment
from nsml.engine.environment import interpreter_for, prune_environments, session_interpreter
from nsml.engine.requirements import Needs
from nsml.scoring.submit import submit
from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.names import SessionName
from nsml.store.processes import identity
from nsml.store.sessions import create_session, find_session


def _wheel(folder: Path, version: str = "1.0", name: str = "tinylens", needs: str = "", module: str = "") -> None:
    """A package without network: one module, of the package's name unless told otherwise, with a VERSION."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module or name}.py", f"VERSION = '{version}'\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def needy(project: Path, tmp_path: Path) -> Path:
    """A project that needs `tinylens`, from a folder of wheels."""
    _wheel(tmp_path / "wheels")
    (project / "requirements.txt").write_text(f"--no-index\n--find-links {tmp_path / 'wheels'}\ntinylens>=1\n")
    (project / "show.py").write_text("import click, tinylens; print('has', tinylens.VERSION)")
    return project


def test_what_is_missing_is_installed_over_the_current_environment(nsml: Nsml, dataset: str, needy: Path) -> None:
    errors = nsml("run", "-d", dataset, "-e", "show.py").err
    assert "installing tinylens>=1 first" in errors
    assert "\nhas 1.0\n" in nsml("logs", "-f", "FUNDUS/1").out


@pytest.fixture(autouse=True)
def without_uv(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """uv is on the PATH, since it takes less time than pip; a PATH on which it is not."""
    beside = Path(sys.executable).parent
    assert (beside / "uv").exists(), "uv is a tool of development; make setup"
    folders = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join([str(beside), *folders]))
    return {"PATH": os.pathsep.join(f for f in folders if not (Path(f) / "uv").exists())}


def test_uv_installs_where_it_is_present(nsml: Nsml, dataset: str, needy: Path) -> None:
    nsml("run", "-d", dataset, "-e", "show.py")
    log = nsml("logs", "-f", "FUNDUS/1").out
    assert "installing tinylens>=1 with uv\n" in log and "\nhas 1.0\n" in log


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_what_a_missing_package_needs_and_the_current_environment_has_is_not_installed_again(
    nsml: Nsml, dataset: str, needy: Path, tmp_path: Path, home: Path, without_uv: dict[str, str], installer: str
) -> None:
    _wheel(tmp_path / "wheels", needs="Requires-Dist: click>=8\n")
    nsml("run", "-d", dataset, "-e", "show.py", **(without_uv if installer == "pip" else {}))
    assert "\nhas 1.0\n" in nsml("logs", "-f", "FUNDUS/1").out
    (packages,) = (home / "environments").glob("*/lib/*/site-packages")
    assert {path.name.split("-")[0] for path in packages.glob("*.dist-info")} == {"tinylens"}


def test_a_layer_is_built_once_and_shared(nsml: Nsml, dataset: str, needy: Path) -> None:
    start_and_wait(nsml, "-e", "show.py")
    assert "installing" not in nsml("run", "-d", dataset, "-e", "show.py").err + nsml("logs", "-f", "FUNDUS/2").out
    assert len(nsml("env", "ls").out.splitlines()) == 2


def test_two_sessions_that_start_together_build_it_once(nsml: Nsml, dataset: str, needy: Path) -> None:
    for _ in range(2):
        nsml("run", "-d", dataset, "-e", "show.py")
    assert all("has 1.0" in nsml("logs", "-f", f"FUNDUS/{n}").out for n in (1, 2))
    assert len(nsml("env", "ls").out.splitlines()) == 2


def test_a_session_that_waits_for_the_installation_of_another_says_so(
    nsml: Nsml, dataset: str, needy: Path, home: Path
) -> None:
    start_and_wait(nsml, "-e", "show.py")
    (layer,) = (home / "environments").glob("[!.]*")
    nsml("env", "prune")
    lock = layer.with_name(f".lock-{layer.name}")
    lock.mkdir()
    write_json(lock / "owner.json", identity())
    nsml("run", "-d", dataset, "-e", "show.py")
    wait_until(lambda: "another session is installing the same; waiting for it\n" in nsml("logs", "FUNDUS/2").out)
    # As of a process that has died.
    write_json(lock / "owner.json", {**identity(), "pid": 2**22 + 1})
    assert "\nhas 1.0\n" in nsml("logs", "-f", "FUNDUS/2").out


def test_a_submit_gets_the_layer_too(nsml: Nsml, dataset: str, needy: Path) -> None:
    (needy / "main.py").write_text("import tinylens\n" + (needy / "main.py").read_text())
    assert nsml("submit", start_and_wait(nsml), "best").out.startswith("Score: 100.010001\n")


def test_another_version_than_the_current_one_wins_in_the_layer(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    _wheel(tmp_path / "wheels", version="99.0", name="pathspec")
    (project / "requirements.txt").write_text(f"--no-index\n--find-links {tmp_path / 'wheels'}\npathspec==99.0\n")
    (project / "show.py").write_text("import pathspec; print('has', pathspec.VERSION)")
    assert "has 99.0" in nsml("logs", start_and_wait(nsml, "-e", "show.py")).out


def test_env_current_installs_nothing(nsml: Nsml, dataset: str, needy: Path) -> None:
    log = nsml("logs", start_and_wait(nsml, "-e", "show.py", "--env", "current")).out
    assert "ModuleNotFoundError: No module named 'tinylens'" in log and "installing" not in log


def test_where_uv_and_pip_fail_the_session_ends_with_pips_last_lines_and_leaves_no_environment(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path, home: Path
) -> None:
    (project / "requirements.txt").write_text(f"--no-index\n--find-links {tmp_path}\nno-such-lens==3\n")
    log = nsml("logs", start_and_wait(nsml)).out
    assert (
        "no-such-lens==3 could not be installed" in log and "No matching distribution" in log and "--env current" in log
    )
    assert "Failed" in nsml("ps", "-a").out
    assert list((home / "environments").glob("[!.]*")) == []


def test_prune_removes_the_environments(nsml: Nsml, dataset: str, needy: Path) -> None:
    start_and_wait(nsml, "-e", "show.py")
    assert nsml("env", "prune").out.startswith("1 environment removed")
    assert "has 1.0" in nsml("logs", start_and_wait(nsml, "-e", "show.py")).out


def test_check_says_that_an_image_is_ignored(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "setup.py").write_text(
        "# nsml: nsml/ml:cuda9.0\nfrom distutils.core import setup\nprint('not run')\nsetup(name='x')\n"
    )
    assert "image nsml/ml:cuda9.0 is ignored: programs run in this machine's Python" in nsml("check").out
    assert "image" not in nsml("run", "-d", dataset).err


def test_missing_debian_packages_are_named_with_the_line_that_installs_them(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    if shutil.which("dpkg-query") is None:
        pytest.skip("this is no Debian")
    (project / "nsml_package.txt").write_text("bash\nno-such-package-of-debian\n# a comment\n")
    assert "sudo apt-get install no-such-package-of-debian\n" in nsml("run", "-d", dataset).err


def test_a_version_that_cannot_be_had_gives_way_to_one_that_can_and_every_session_says_so(
    nsml: Nsml, dataset: str, needy: Path
) -> None:
    lines = (needy / "requirements.txt").read_text().replace("tinylens>=1", "tinylens==0.1\npathspec==0.0.1")
    (needy / "requirements.txt").write_text(lines)
    for _ in range(2):
        log = nsml("logs", start_and_wait(nsml, "-e", "show.py")).out
        assert (
            "\nhas 1.0\n" in log and "warning: tinylens is installed in the version that fits, tinylens==0.1 was" in log
        )
        assert " is used, pathspec==0.0.1 was asked for" in log


def test_a_program_that_a_session_starts_as_python_finds_the_same_packages(
    nsml: Nsml, dataset: str, needy: Path
) -> None:
    (needy / "outer.py").write_text("import os, sys; sys.exit(os.system('python show.py'))")
    assert "\nhas 1.0\n" in nsml("logs", start_and_wait(nsml, "-e", "outer.py")).out


def test_prune_leaves_what_a_running_session_uses(nsml: Nsml, dataset: str, needy: Path) -> None:
    (needy / "wait.py").write_text("import time, tinylens; print('here', flush=True); time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "wait.py")
    wait_until(lambda: "here" in nsml("logs", "FUNDUS/1").out)
    assert nsml("env", "prune").out == "0 environments removed, 0 B freed; 1 is in use\n"
    nsml("stop", "-f", "FUNDUS/1")


def test_prune_leaves_a_layer_that_is_being_installed_or_in_which_a_submit_of_an_ended_session_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both hold its lock."""
    home = open_home()
    pruned = []

    def build(folder: Path, *_: object) -> None:
        folder.mkdir()
        pruned.append(prune_environments(home))
        write_json(folder / "ready.json", {"packages": []})
        (folder / "size").write_text("12345")

    monkeypatch.setattr(environment, "_build", build)
    with interpreter_for(home, Needs(packages=("no-such-lens",)), print) as python:
        pruned.append(prune_environments(home))
    assert [(count, left) for count, _, left in pruned] == [(0, 1), (0, 1)] and Path(python).parents[1].exists()
    assert prune_environments(home)[::2] == (1, 0)


def test_a_process_that_scores_in_a_layer_lets_go_of_it_with_the_score(nsml: Nsml, dataset: str, needy: Path) -> None:
    """As the page does, which goes on."""
    start_and_wait(nsml)
    home, during = open_home(), []
    session = find_session(home, SessionName("tester", "FUNDUS", 1))

    def on_step(step: dict[str, object]) -> None:
        if step["step"] == "done":
            during.append(nsml("env", "prune").out)

    assert submit(home, session, "best", dry_run=False, limit=60, on_step=on_step).score is not None
    assert during == ["0 environments removed, 0 B freed; 1 is in use\n"]
    assert nsml("env", "prune").out.startswith("1 environment removed")


@pytest.mark.parametrize("text", ["", "x", "../../..", "/nowhere/bin/python", "\udcff"])
def test_what_a_program_writes_in_place_of_its_interpreter_counts_as_none(text: str) -> None:
    home = open_home()
    session = create_session(home, "tester", "D", {"entry": "main.py", "arguments": []})
    (session.folder / "python.txt").write_text(text, errors="surrogateescape")
    assert prune_environments(home) == (0, 0, 0)
    with session_interpreter(home, session, print) as python:
        assert python == sys.executable


def _local_package(folder: Path, name: str = "locallens") -> None:
    """A package's folder, whose build needs no network."""
    folder.mkdir()
    top = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(f'{top}[project]\nname = "{name}"\nversion = "1.0"\n')
    (folder / "backend.py").write_text(_BACKEND.format(name=name, version="1.0", imports="pass"))


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize(
    "lines",
    [
        {"requirements.txt": "-r needs/base.txt\n", "needs/base.txt": "--find-links ../wheels\ntinylens<2\n"},
        {"requirements.txt": "--find-links ./wheels\ntinylens<2\n"},
        {"requirements.txt": "./wheels/tinylens-1.0-py3-none-any.whl\n"},
        {"requirements.txt": "-f .\n./wheels/tinylens-1.0-py3-none-any.whl\n"},
        {"requirements.txt": "-f wheels\n-c needs/pins.txt\ntinylens\n", "needs/pins.txt": "tinylens==1.0\n"},
    ],
    ids=["-r", "--find-links", "a wheel", "the project as find-links", "-c"],
)
def test_relative_paths_of_requirements_begin_at_the_project(
    nsml: Nsml, project: Path, without_uv: dict[str, str], installer: str, lines: dict[str, str]
) -> None:
    _wheel(project / "wheels")
    _wheel(project / "wheels", version="2.0")
    (project / "needs").mkdir()
    for name, text in lines.items():
        (project / name).write_text(f"--no-index\n{text}")
    (project / "show.py").write_text("import tinylens; print('has', tinylens.VERSION)")
    nsml("run", "-e", "show.py", **(without_uv if installer == "pip" else {}))
    log = nsml("logs", "-f", "none/1").out
    assert "\nhas 1.0\n" in log and "warning" not in log


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("line", ["./wheels/{file}", "otherlens @ file://{folder}/{file}"])
def test_a_package_named_by_its_file_is_installed_beside_one_named_by_its_version(
    nsml: Nsml, project: Path, without_uv: dict[str, str], installer: str, line: str
) -> None:
    _wheel(project / "wheels")
    _wheel(project / "wheels", name="otherlens", version="2.0")
    line = line.format(folder=project / "wheels", file="otherlens-2.0-py3-none-any.whl")
    (project / "requirements.txt").write_text(f"--no-index\n-f wheels\ntinylens==1.0\n{line}\n")
    (project / "show.py").write_text("import otherlens, tinylens; print('has', tinylens.VERSION, otherlens.VERSION)")
    nsml("run", "-e", "show.py", **(without_uv if installer == "pip" else {}))
    assert "\nhas 1.0 2.0\n" in nsml("logs", "-f", "none/1").out


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_file_outside_the_project_is_installed_and_again_when_it_changes(
    nsml: Nsml, needy: Path, tmp_path: Path, without_uv: dict[str, str], installer: str
) -> None:
    _wheel(tmp_path / "wheels", version="2.0")
    outside = tmp_path / "my needs.txt"
    (needy / "requirements.txt").write_text(f"-r '{outside}'\n")
    shown = []
    for version in ("1.0", "1.0", "2.0"):
        outside.write_text(f"--no-index\n-f wheels\ntinylens=={version}\n")
        nsml("run", "-e", "show.py", **(without_uv if installer == "pip" else {}))
        shown.append(nsml("logs", "-f", f"none/{len(shown) + 1}").out)
    assert ["has 1.0\n" in log for log in shown] == [True, True, False] and "has 2.0\n" in shown[2]
    assert ["installing -r " in log for log in shown] == [True, False, True]


def test_with_wheels_in_the_projects_folder_only_another_wheel_builds_another_environment(
    nsml: Nsml, project: Path
) -> None:
    (project / "requirements.txt").write_text("--no-index\n-f .\ntinylens\n")
    shown: list[str] = []
    for new_wheel, edited in (("1.0", "first"), ("", "second"), ("2.0", "second")):
        if new_wheel:
            _wheel(project, version=new_wheel)
        (project / "show.py").write_text(f"import tinylens; print('has', tinylens.VERSION, '{edited}')")
        nsml("run", "-e", "show.py")
        shown.append(nsml("logs", "-f", f"none/{len(shown) + 1}").out)
    assert "has 1.0 first\n" in shown[0] and "has 1.0 second\n" in shown[1] and "has 2.0 second\n" in shown[2]
    assert ["installing tinylens" in log for log in shown] == [True, False, True]


@pytest.fixture
def hash_of_wheel(project: Path) -> str:
    """The hash of the wheel of `tinylens`, which the project has and shows."""
    _wheel(project / "wheels")
    (project / "show.py").write_text("import tinylens; print('has', tinylens.VERSION)")
    return hashlib.sha256((project / "wheels" / "tinylens-1.0-py3-none-any.whl").read_bytes()).hexdigest()


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("line", ["tinylens==1.0", "./wheels/tinylens-1.0-py3-none-any.whl"])
def test_a_package_of_another_hash_is_not_installed(
    nsml: Nsml, project: Path, hash_of_wheel: str, without_uv: dict[str, str], installer: str, line: str
) -> None:
    (project / "requirements.txt").write_text(f"--no-index\n-f wheels\n{line} --hash=sha256:{'0' * 64}\n")
    nsml("run", "-e", "show.py", **(without_uv if installer == "pip" else {}))
    log = nsml("logs", "-f", "none/1").out
    assert "could not be installed" in log and hash_of_wheel in log


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_package_of_its_hash_is_installed(
    nsml: Nsml, project: Path, hash_of_wheel: str, without_uv: dict[str, str], installer: str
) -> None:
    lines = f"--no-index\n-f wheels\n--require-hashes\ntinylens==1.0 \\\n    --hash=sha256:{hash_of_wheel}\n"
    (project / "requirements.txt").write_text(lines)
    nsml("run", "-e", "show.py", **(without_uv if installer == "pip" else {}))
    assert "\nhas 1.0\n" in nsml("logs", "-f", "none/1").out


def test_with_uv_setup_py_may_name_what_requirements_txt_names_with_its_hash(
    nsml: Nsml, project: Path, hash_of_wheel: str
) -> None:
    (project / "setup.py").write_text("setup(install_requires=['tinylens'])")
    (project / "requirements.txt").write_text(f"--no-index\n-f wheels\ntinylens==1.0 --hash=sha256:{hash_of_wheel}\n")
    nsml("run", "-e", "show.py")
    assert "\nhas 1.0\n" in nsml("logs", "-f", "none/1").out


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("line", ["./parts/lens", "-e parts/lens"])
def test_a_package_of_the_project_is_installed_and_again_when_it_changes(
    nsml: Nsml, project: Path, without_uv: dict[str, str], installer: str, line: str
) -> None:
    (project / "parts").mkdir()
    _local_package(project / "parts" / "lens")
    (project / "requirements.txt").write_text(f"--no-index\n{line}\n")
    (project / "show.py").write_text("import locallens; print('has', locallens.VERSION)")
    path = without_uv if installer == "pip" else {}
    shown = []
    for version in ("1.0", "1.0", "2.0"):
        (project / "parts" / "lens" / "backend.py").write_text(
            _BACKEND.format(name="locallens", version="1.0", imports="pass").replace("1.0 built", f"{version} built")
        )
        nsml("run", "-e", "show.py", **path)
        shown.append(nsml("logs", "-f", f"none/{len(shown) + 1}").out)
    assert ["has 1.0 built\n" in log for log in shown] == [True, True, False] and "has 2.0 built\n" in shown[2]
    assert ["installing ./parts/lens" in log for log in shown] == [True, False, True]


def test_what_takes_the_place_of_a_version_leaves_the_other_packages_as_they_are(
    nsml: Nsml, dataset: str, needy: Path, tmp_path: Path, home: Path
) -> None:
    _wheel(tmp_path / "wheels", version="2.0", needs="Requires-Dist: pathspec==99.0\n")
    _wheel(tmp_path / "wheels", version="99.0", name="pathspec")
    lines = (needy / "requirements.txt").read_text().replace("tinylens>=1", "tinylens==0.1")
    (needy / "requirements.txt").write_text(lines)
    assert "\nhas 1.0\n" in nsml("logs", start_and_wait(nsml, "-e", "show.py")).out
    assert not list((home / "environments").glob("*/lib/*/site-packages/pathspec*"))


def test_nsmlignore_is_read_as_powershell_saves_it(nsml: Nsml, project: Path) -> None:
    (project / ".nsmlignore").write_bytes("*.bin\r\n".encode("utf-16"))
    (project / "a.bin").write_text("")
    assert nsml("check").out.startswith("files of a session: 2,")


_BACKEND = """
import os, zipfile

def build_wheel(folder, settings=None, metadata=None):
    {imports}
    with zipfile.ZipFile(os.path.join(folder, "{name}-{version}-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("{name}.py", "VERSION = '{version} built'\\n")
        info = "{name}-{version}.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "{name}-{version}-py3-none-any.whl"
"""


def _sources(folder: Path, version: str, name: str = "tinylens", needs: str = "[]", imports: str = "pass") -> None:
    """An sdist whose build needs no network."""
    top = f"{name}-{version}"
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": f'[build-system]\nrequires = {needs}\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND.format(name=name, version=version, imports=imports),
    }
    with tarfile.open(folder / f"{top}.tar.gz", "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{top}/{file}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_pin_that_would_have_to_be_built_gives_way_to_a_wheel(
    nsml: Nsml, dataset: str, needy: Path, tmp_path: Path, without_uv: dict[str, str], installer: str
) -> None:
    _sources(tmp_path / "wheels", "0.5")
    (needy / "requirements.txt").write_text(
        (needy / "requirements.txt").read_text().replace("tinylens>=1", "tinylens==0.5")
    )
    nsml("run", "-d", dataset, "-e", "show.py", **(without_uv if installer == "pip" else {}))
    log = nsml("logs", "-f", "FUNDUS/1").out
    assert "warning: tinylens is installed in the version that fits, tinylens==0.5 was asked for" in log
    assert "\nhas 1.0\n" in log


def test_what_has_no_wheel_at_all_is_built_and_said_while_the_rest_comes_as_wheels(
    nsml: Nsml, dataset: str, needy: Path, tmp_path: Path
) -> None:
    _sources(tmp_path / "wheels", "0.5")
    _sources(tmp_path / "wheels", "2.0", name="oldlens")
    text = (needy / "requirements.txt").read_text().replace("tinylens>=1", "tinylens==0.5\noldlens==2.0")
    (needy / "requirements.txt").write_text(text)
    (needy / "show.py").write_text("import oldlens, tinylens; print('has', oldlens.VERSION, tinylens.VERSION)")
    nsml("run", "-d", dataset, "-e", "show.py")
    log = nsml("logs", "-f", "FUNDUS/1").out
    assert "warning: oldlens==2.0 has no wheel for this Python, so it is built from its sources" in log
    assert "\nhas 2.0 built 1.0\n" in log


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_build_that_needs_pkg_resources_gets_a_setuptools_that_has_it(
    nsml: Nsml, dataset: str, needy: Path, tmp_path: Path, without_uv: dict[str, str], installer: str
) -> None:
    # By another name, since the environment below has a setuptools with pkg_resources, which pip's builds see.
    for version, module in (("80.0", "old_pkg_resources"), ("90.0", "nothing")):
        _wheel(tmp_path / "wheels", version, name="setuptools", module=module)
    _sources(tmp_path / "wheels", "2.0", name="oldlens", needs='["setuptools"]', imports="import old_pkg_resources")
    text = (needy / "requirements.txt").read_text().replace("tinylens>=1", "oldlens==2.0")
    (needy / "requirements.txt").write_text(text)
    (needy / "show.py").write_text("import oldlens; print('has', oldlens.VERSION)")
    nsml("run", "-d", dataset, "-e", "show.py", **(without_uv if installer == "pip" else {}))
    log = nsml("logs", "-f", "FUNDUS/1").out
    assert "trying again with an older setuptools" in log and "\nhas 2.0 built\n" in log

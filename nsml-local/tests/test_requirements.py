"""What a project needs, as setup.py, requirements.txt and the files that it includes say."""

from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait
from hypothesis import given
from hypothesis import strategies as st

from nsml.engine.requirements import Needs, missing_packages, read_needs
from nsml.errors import NsmlError


@pytest.mark.parametrize(
    "code",
    [
        "#nsml: tf:2\nfrom setuptools import setup\nsetup(install_requires=['a>=1', 'b'])",
        "# nsml: tf:2\nimport distutils.core\nneeds = ['a>=1', 'b']\ndistutils.core.setup(install_requires=needs)",
        "from x import y\n\n#nsml:tf:2\nsetup(name='n', install_requires=('a>=1', 'b',))",
    ],
)
def test_setup_py_is_read_without_running_it(tmp_path: Path, code: str) -> None:
    (tmp_path / "setup.py").write_text(code)
    assert read_needs(tmp_path) == Needs(packages=("a>=1", "b"), image="tf:2")


@pytest.mark.parametrize(
    "code",
    [
        "setup(install_requires='a>=1\\nb')",
        "setup(install_requires=['a>=1'] + ['b'])",
        "needs: list[str] = ['a>=1']\nsetup(install_requires=needs + ['b'])",
        "setup(**{'name': 'n', 'install_requires': ['a>=1', 'b']})",
    ],
)
def test_install_requires_is_read_in_each_plain_form(tmp_path: Path, code: str) -> None:
    (tmp_path / "setup.py").write_text(code)
    assert read_needs(tmp_path) == Needs(packages=("a>=1", "b"))


@pytest.mark.parametrize(
    "code",
    [
        "needs = ['click']\nneeds += ['b']\nsetup(install_requires=needs)",
        "needs = ['click']\nneeds.append('b')\nsetup(install_requires=needs)",
        "setup(install_requires=['click', f'b=={VERSION}'])",
        "setup(install_requires=['click', 'b==' + VERSION])",
        "options['install_requires'] = ['b']\nsetup(**options)",
        f"setup(install_requires={' + '.join(['[]'] * 1500)})",
    ],
)
def test_check_says_where_not_all_of_install_requires_can_be_read(nsml: Nsml, project: Path, code: str) -> None:
    (project / "setup.py").write_text(f"VERSION = '1'\noptions = {{}}\n{code}\n")
    (line,) = [line for line in nsml("check").out.splitlines() if line.startswith("warning: ")]
    assert line.startswith("warning: setup.py: install_requires is not a literal list")


def test_an_address_of_nsml_that_setup_py_computes_is_in_no_doubt(project: Path) -> None:
    (project / "setup.py").write_text("setup(install_requires=['click', *([f'nsml @ {FOLDER}'] if FOLDER else [])])")
    assert read_needs(project) == Needs(packages=("click",))


def test_a_setup_py_that_reads_requirements_txt_is_in_no_doubt(project: Path) -> None:
    (project / "setup.py").write_text("setup(install_requires=open('requirements.txt').read().splitlines())")
    (project / "requirements.txt").write_text("click\n")
    assert read_needs(project) == Needs(packages=("click",))


def test_setup_py_comes_before_requirements_txt(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("setup(install_requires=['a'])")
    (tmp_path / "requirements.txt").write_text("# only\nb==1 # why\n\n-i https://example.invalid\nc \\\n >=2\n")
    needs = read_needs(tmp_path)
    assert needs.packages == ("a", "b==1", "c   >=2") and needs.options == ("-i https://example.invalid",)


def test_a_setup_py_that_is_not_python_names_its_line(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "setup.py").write_text("import x\nprint 'python 2'\n")
    refused = nsml("run", "-d", dataset)
    assert (
        refused.status == 2 and "setup.py, line 2 is not Python 3" in refused.err and len(refused.err.splitlines()) == 1
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("setup.py", "import x\nprint 'python 2'\n", ", line 2: is not Python 3"),
        ("requirements.txt", "-r missing.txt\n", ": names missing.txt, which is not in the project"),
    ],
)
def test_with_env_current_what_the_project_needs_may_be_unreadable_and_check_goes_on(
    nsml: Nsml, dataset: str, project: Path, name: str, text: str, said: str
) -> None:
    (project / name).write_text(text)
    session = start_and_wait(nsml, "--env", "current")
    assert nsml("submit", session, "best").out.splitlines()[-1] == "Done"
    started = nsml("run", "-d", dataset, "--env", "current")
    (line,) = [line for line in started.err.splitlines() if name in line]
    assert started.status == 0 and line.startswith(f"warning: {name}{said}")
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace('"--mode", default="train"', '"--mode", type=int, default=0'))
    checked = nsml("check")
    errors = [line for line in checked.out.splitlines() if line.startswith("error: ")]
    assert checked.status == 1 and len(errors) == 2 and checked.err == "nsml: 2 problems would make a submit fail\n"
    assert any(line.startswith(f"error: {name}{said}") for line in errors)
    assert any("--mode has the type int" in line for line in errors)


@given(st.text())
def test_any_text_as_setup_py_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("setup")
    (folder / "setup.py").write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read_needs(folder)
    except NsmlError as error:
        assert "setup.py" in str(error)


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [
        ("click", False),
        ("Click>=1", False),
        ("click>=900", True),
        ("click>=1     --hash=sha256:00 --hash=sha256:01", False),
        ("no-such-lens", True),
        ("opencv-python", False),
        ("sklearn", False),
        ("argparse", False),
        ("no-such-lens; python_version < '3'", False),
        ("./folder", True),
    ],
)
def test_what_the_current_environment_meets_is_not_installed(requirement: str, missing: bool) -> None:
    assert bool(missing_packages(Needs(packages=(requirement,)))) == missing


@pytest.mark.parametrize("line", ["-r base.txt", "-c ../pins.txt", "./lens", "-e ../lens", "lens-1.0.whl"])
def test_requirements_that_name_what_is_not_in_the_project_are_refused_in_one_line(
    nsml: Nsml, project: Path, line: str
) -> None:
    (project.parent / "lens").mkdir()
    (project.parent / "pins.txt").write_text("")
    (project / "requirements.txt").write_text(f"{line}\n")
    refused = nsml("run")
    assert refused.status == 2 and len(refused.err.splitlines()) == 1
    assert f"requirements.txt names {line.split()[-1]}, which is not in the project" in refused.err


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("file", "text", "refusal"),
    [
        (
            "requirements.txt",
            "six==\n",
            "requirements.txt, line 1: 'six==' is no requirement; write six or six==VERSION",
        ),
        (
            "requirements.txt",
            "# why\nclick \\\n  >=1\nnumpy=1.2  # how\n",
            "requirements.txt, line 4: 'numpy=1.2' is no requirement; write numpy or numpy==VERSION",
        ),
        ("requirements.txt", "==1\n", "requirements.txt, line 1: '==1' is no requirement; write NAME or NAME==VERSION"),
        (
            "setup.py",
            "needs = [\n    'click',\n    'six==',\n]\nsetup(install_requires=needs)\n",
            "setup.py, line 3: 'six==' is no requirement; write six or six==VERSION",
        ),
    ],
)
def test_a_line_that_pip_could_not_read_is_named_before_anything_starts(
    nsml: Nsml, project: Path, command: str, file: str, text: str, refusal: str
) -> None:
    (project / file).write_text(text)
    refused = nsml(command)
    if command == "check":  # goes on, and names what else is wrong
        assert refused.status == 1 and f"error: {refusal}\n" in refused.out
    else:
        assert (refused.status, refused.out, refused.err) == (2, "", f"nsml: {refusal}\n")
    assert "there is no session" in nsml("ps", "-a").err


@pytest.mark.parametrize(
    "line",
    [
        "six[a,b]>=1,<2; python_version<'3'",
        "six==1.*",
        "six @ https://example.invalid/six.whl",
        "git+https://example.invalid/six.git@main#egg=six",
        "six==${VERSION}",
        "six==1 --hash=sha256:00",
        "/srv/six.whl",
    ],
)
def test_what_pip_understands_is_left_to_it(project: Path, line: str) -> None:
    (project / "requirements.txt").write_text(f"{line}\t# why\n")
    assert read_needs(project).packages == (line,)


@pytest.mark.parametrize("line", ['-r "my needs.txt"', "-r my\\ needs.txt", "--requirement='my needs.txt'"])
def test_an_included_file_may_be_named_as_in_a_shell(project: Path, line: str) -> None:
    (project / "requirements.txt").write_text(f"{line}\n")
    (project / "my needs.txt").write_text("a\n-f 'my wheels'\n")
    (project / "my wheels").mkdir()
    (project / "my wheels" / "a.whl").write_text("")
    assert read_needs(project) == Needs(packages=("a",), options=("-f './my wheels'",), local=("my wheels/a.whl",))


def test_check_says_that_a_session_depends_on_a_file_outside_the_project(nsml: Nsml, project: Path) -> None:
    path = project.parent / "needs.txt"
    path.write_text("click\n")
    (project / "requirements.txt").write_text(f"-r {path}\n")
    line = f"warning: requirements.txt: {path} is not copied with the project, so the session depends on it; "
    assert line in nsml("check").out


def test_what_a_file_outside_the_project_says_is_read_by_the_installer_only(project: Path) -> None:
    path = project.parent / "needs.txt"
    path.write_text("secret\n")
    (project / "requirements.txt").write_text(f"-r {path}\n")
    assert read_needs(project).packages == (f"-r {path}",)


def test_a_file_outside_the_project_that_cannot_be_read_is_named(nsml: Nsml, project: Path) -> None:
    (project / "requirements.txt").write_text("-r /no/such.txt\n")
    refused = nsml("run")
    assert refused.status == 2 and len(refused.err.splitlines()) == 1
    assert "requirements.txt names /no/such.txt, which is not a file that can be read; correct" in refused.err


def test_requirements_that_include_each_other_are_read_once(project: Path) -> None:
    (project / "requirements.txt").write_text("-r more.txt\na\n")
    (project / "more.txt").write_text("-r requirements.txt\nb\n")
    assert read_needs(project).packages == ("b", "a")


def test_the_project_itself_is_not_installed_and_run_says_so(nsml: Nsml, project: Path) -> None:
    (project / "requirements.txt").write_text("-e .[dev]\n")
    assert "warning: requirements.txt: -e .[dev] is not installed, as the program runs in that" in nsml("run").err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp949"])
def test_what_a_project_needs_is_read_as_windows_saves_it(project: Path, encoding: str) -> None:
    text = "# 필요한 것\r\nclick==8.0\r\nnumpy\r\n"
    (project / "requirements.txt").write_bytes(text.encode(encoding))
    (project / "setup.py").write_bytes("# 안저\r\nsetup(install_requires=['pandas'])\r\n".encode(encoding))
    assert read_needs(project).packages == ("pandas", "click==8.0", "numpy")


def test_requirements_in_no_known_encoding_are_named(project: Path) -> None:
    (project / "requirements.txt").write_bytes(b"numpy\n# \xff\xfe\xfd\n")
    with pytest.raises(NsmlError, match=r"requirements\.txt is not text in UTF-8, UTF-16 or CP949"):
        read_needs(project)

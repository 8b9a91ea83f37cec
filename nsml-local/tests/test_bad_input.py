"""Wrong use: one clear line on stderr, the right exit status, nothing lost."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Ended, Nsml, make_dataset, start_and_wait


def _is_one_clear_line(ended: Ended, status: int, *parts: str) -> None:
    assert ended.status == status
    (line,) = ended.err.splitlines()
    assert line.startswith("nsml: ") and all(part in line for part in parts), line


def test_an_unknown_dataset_is_named_with_the_nearest(nsml: Nsml, dataset: str) -> None:
    _is_one_clear_line(nsml("run", "-d", "FUNDOS"), 2, "no dataset FUNDOS", "did you mean FUNDUS?")


def test_where_no_dataset_is_similar_the_newest_are_named(nsml: Nsml, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "numbers.txt").write_text("1\n")
    for name in "zyxwvutsr":
        nsml("dataset", "push", name * 5, str(tmp_path / "source"))
    last = "the newest are rrrrr, sssss, ttttt, uuuuu, vvvvv, wwwww, xxxxx, yyyyy; 'nsml dataset ls' lists all"
    _is_one_clear_line(nsml("run", "-d", "EYES"), 2, f"there is no dataset EYES; {last}")


def test_without_any_dataset_the_commands_that_make_one_are_named(nsml: Nsml) -> None:
    _is_one_clear_line(nsml("run", "-d", "X"), 2, "nsml dataset push NAME PATH", "nsml dataset demo")


def test_an_unknown_session_is_named_with_those_that_exist(nsml: Nsml, trained: str) -> None:
    _is_one_clear_line(nsml("logs", "FUNDUS/9"), 2, "no session tester/FUNDUS/9", "are 1")


def test_a_session_of_another_dataset_is_proposed_only_where_the_datasets_names_are_similar(
    nsml: Nsml, trained: str, tmp_path: Path
) -> None:
    _is_one_clear_line(nsml("stop", "FUNDOS/1"), 2, f"there is no session tester/FUNDOS/1; did you mean {trained}?")
    nsml("dataset", "push", "FUND", str(make_dataset(tmp_path / "other")))
    _is_one_clear_line(nsml("stop", "FUND/1"), 2, "there is no session tester/FUND/1; FUND has no sessions")
    _is_one_clear_line(nsml("stop", "EYES/1"), 2, "there is no session tester/EYES/1; 'nsml ps -a' lists the sessions")
    _is_one_clear_line(nsml("stop", "FUNDUS/sweep-1"), 2, "no sweep FUNDUS/sweep-1; tester/FUNDUS has no sweep")


def test_memory_without_a_unit_is_not_taken_for_bytes(nsml: Nsml, dataset: str) -> None:
    _is_one_clear_line(nsml("run", "-d", dataset, "--memory", "24"), 2, "--memory '24' is 24 bytes; did you mean 24G?")
    _is_one_clear_line(
        nsml("run", "-d", dataset, "--memory", "24M"), 2, "--memory '24M' is too little; give 64,000,000"
    )


def test_what_is_no_session_name_says_what_one_looks_like(nsml: Nsml) -> None:
    _is_one_clear_line(nsml("logs", "nine"), 2, "USER/DATASET/NUMBER")


def test_a_file_in_place_of_the_folder_to_write_to_is_refused(nsml: Nsml, trained: str, project: Path) -> None:
    for words in (["pull", trained], ["download", trained], ["model", "pull", trained, "best"]):
        _is_one_clear_line(nsml(*words, "main.py"), 2, "PATH: main.py is a file; name a folder")
    _is_one_clear_line(nsml("report", trained, "--out", "main.py"), 2, "--out: main.py is a file; name a folder")


def test_the_checkpoint_may_follow_the_session_after_a_colon(nsml: Nsml, trained: str, project: Path) -> None:
    assert nsml("submit", "FUNDUS/1:best").out.startswith("Score: ")
    assert nsml("model", "pull", "FUNDUS/1:best", ".").status == 0
    assert (project / "tester_FUNDUS_1" / "best" / "model" / "model.json").exists()
    _is_one_clear_line(nsml("submit", "FUNDUS/1:best", "0"), 2, "FUNDUS/1:best already names a checkpoint; leave out 0")
    _is_one_clear_line(nsml("model", "pull", "FUNDUS/1", "best"), 2, "Missing argument 'PATH'")
    _is_one_clear_line(nsml("model", "pull", "FUNDUS/1"), 2, "Missing argument 'CHECKPOINT'")
    assert nsml("model", "rm", "-f", "FUNDUS/1:0").out == "Checkpoint 0 is removed\n"


def test_blanks_around_the_names_of_datasets_are_left_out(nsml: Nsml, dataset: str) -> None:
    assert "no dataset B;" in nsml("run", "-d", "FUNDUS, B").err


def test_the_board_of_a_dataset_without_labels_promises_no_score(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "test" / "test_label").unlink()
    nsml("dataset", "push", "BARE", str(source))
    assert "no submission on BARE yet; it has no labels to score one by" in nsml("dataset", "board", "BARE").err


def test_an_unknown_checkpoint_is_named_with_those_that_exist(nsml: Nsml, trained: str) -> None:
    _is_one_clear_line(nsml("submit", trained, "last"), 2, "no checkpoint 'last'", "0, 1, best")


def test_a_missing_entry_file_is_an_error_that_names_the_files_of_the_folder(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    (project / "main.py").rename(project / "train.py")
    _is_one_clear_line(nsml("run", "-d", dataset), 2, "no main.py", "train.py", "-e FILE")


@pytest.mark.parametrize("entry", ["../outside.py", "/etc/passwd"])
def test_an_entry_file_outside_the_folder_is_refused(nsml: Nsml, dataset: str, project: Path, entry: str) -> None:
    (project.parent / "outside.py").write_text("")
    _is_one_clear_line(nsml("run", "-d", dataset, "-e", entry), 2, "must be inside")


def test_an_entry_file_that_nsmlignore_names_is_refused(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / ".nsmlignore").write_text("main.py\n")
    _is_one_clear_line(nsml("run", "-d", dataset), 2, "main.py is not copied to the session", ".nsmlignore names it")
    assert nsml("ps", "-a", "-j").out == "[]\n"


def test_a_notebook_is_refused_with_the_way_to_convert_it(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "train.ipynb").write_text("{}")
    _is_one_clear_line(nsml("run", "-d", dataset, "-e", "train.ipynb"), 2, "jupyter nbconvert --to script train.ipynb")
    (project / "main.py").unlink()
    _is_one_clear_line(nsml("run", "-d", dataset), 2, "no main.py", "jupyter nbconvert --to script train.ipynb")


def test_an_open_quotation_in_the_arguments_is_refused(nsml: Nsml, dataset: str) -> None:
    _is_one_clear_line(nsml("run", "-d", dataset, "-a", "--x 'y"), 2, "-a", "quotation")


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda p: None, "no folder"),
        (lambda p: p.mkdir(), "no file below"),
        (lambda p: (p / "train" / "train_data").mkdir(parents=True), "no file below"),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused(nsml: Nsml, tmp_path: Path, make: object, part: str) -> None:
    make(tmp_path / "d")  # type: ignore[operator]
    _is_one_clear_line(nsml("dataset", "push", "D", str(tmp_path / "d")), 2, part)


def test_a_dataset_is_not_replaced_by_accident(nsml: Nsml, dataset: str, tmp_path: Path) -> None:
    _is_one_clear_line(nsml("dataset", "push", dataset, str(make_dataset(tmp_path / "other"))), 2, "FUNDUS already")


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", ".x", ""])
def test_a_name_that_could_leave_the_home_is_refused(nsml: Nsml, tmp_path: Path, name: str) -> None:
    _is_one_clear_line(nsml("dataset", "push", name, str(make_dataset(tmp_path / "d"))), 2, "NAME")


def test_a_dataset_without_labels_is_not_scored(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").unlink()
    nsml("dataset", "push", "BARE", str(source))
    name = start_and_wait(nsml, dataset="BARE")
    _is_one_clear_line(nsml("submit", name, "best"), 2, "no test/test_label", "submit -t")


def test_an_empty_test_set_is_named_in_the_step_that_fails(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    for photograph in (source / "test" / "test_data").iterdir():
        photograph.unlink()
    nsml("dataset", "push", "BARE", str(source))
    failed = nsml("submit", start_and_wait(nsml, dataset="BARE"), "best")
    assert failed.status == 1 and "there is no file below" in failed.err.splitlines()[-1]


@pytest.mark.parametrize("arguments", [["sumbit"], ["logs"], ["ps", "-n", "0"], ["ps", "--what"], ["submit"]])
def test_wrong_use_is_one_line_and_status_2(nsml: Nsml, arguments: list[str]) -> None:
    _is_one_clear_line(nsml(*arguments), 2, "--help")


@pytest.mark.parametrize(
    "words",
    [
        "submit x best --limit inf",
        "submit x best --limit nan",
        f"run --memory {'9' * 400}",
        "run --memory 2000000000G",
        "run --log-limit 2000000000G",
        f"run -c {1 << 60}",
        f"dataset push D . --every {'9' * 400}",
        f"dataset push D . --every {'9' * 12}d",
    ],
    ids=lambda words: words[:40],
)
def test_a_number_that_is_none_or_beyond_all_bounds_is_one_line_and_status_2(nsml: Nsml, words: str) -> None:
    _is_one_clear_line(nsml(*words.split()), 2)


def _on_a_full_disk(project: Path, blocks: int, *words: str) -> Ended:
    """A command whose files can have so many kilobytes."""
    full = f"trap '' XFSZ; ulimit -f {blocks}; exec {sys.executable} -m nsml {shlex.join(words)}"
    ended = subprocess.run(["bash", "-c", full], cwd=project, env=os.environ, capture_output=True, text=True)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def test_a_full_disk_is_one_line_and_status_1(nsml: Nsml, dataset: str, project: Path, home: Path) -> None:
    (project / "weights.bin").write_bytes(b"x" * 3_000_000)
    ended = _on_a_full_disk(project, 1000, "run", "-d", dataset)
    where = f"weights.bin cannot be copied to {home / 'sessions' / 'tester' / dataset / '1' / 'code'}: "
    _is_one_clear_line(ended, 1, where, "File too large; free some space and try again")
    assert "Failed" in nsml("ps", "-a").out


@pytest.mark.parametrize("how", [["--copy"], []], ids=["copied", "linked"])
def test_a_full_disk_is_said_of_the_home_and_not_of_the_organisers_files(
    tmp_path: Path, project: Path, home: Path, how: list[str]
) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text("print(1)\n" * 100_000)
    if how:
        (source / "train" / "train_data" / "NORMAL" / "large.jpg").write_bytes(b"x" * 900_000)
    ended = _on_a_full_disk(project, 500, "dataset", "push", "NEW", str(source), *how)
    _is_one_clear_line(ended, 1, f"nsml: {home / 'datasets'}: File too large; free some space and try again")
    assert list((home / "datasets").iterdir()) == []


def test_the_file_that_a_full_disk_does_not_take_is_named(project: Path, home: Path) -> None:
    ended = _on_a_full_disk(project, 0, "login", "someone")
    _is_one_clear_line(ended, 1, f"nsml: {home / 'user.json'}: File too large; free some space and try again")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "nsml", "status"]
        shown = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert shown.stderr == "nsml: the output: No space left on device; free some space and try again\n"


def test_the_first_of_several_files_that_cannot_be_copied_is_named(nsml: Nsml, tmp_path: Path) -> None:
    evaluation = make_dataset(tmp_path / "source") / "evaluation"
    evaluation.mkdir()
    for name in ("b", "c"):
        (evaluation / name).symlink_to("nowhere")
    ended = nsml("dataset", "push", "NEW", str(tmp_path / "source"))
    _is_one_clear_line(ended, 1, f"nsml: {evaluation}{os.sep}", ": No such file or directory; fix that and try again")


def test_compiled_python_that_a_full_disk_cut_short_is_named(tmp_path: Path) -> None:
    """As CPython 3.11 leaves it, which says "marshal data too short" of it ever after."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(tmp_path), "NSML_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "nsml", "ps"]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    (compiled,) = tmp_path.glob("**/nsml/cli/ps.*.pyc")
    os.truncate(compiled, 200)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    _is_one_clear_line(Ended(ended.returncode, ended.stdout, ended.stderr), 1, f"{compiled} is truncated", "remove")


def test_ctrl_c_while_the_command_still_imports_is_one_line(python: Nsml, tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import os, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nos.kill(os.getpid(), signal.SIGINT)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for start in (("-m", "nsml", "run", "-d", "A"), ("-c", "from nsml.__main__ import main; main()")):
        ended = python(*start, PYTHONPATH=path)
        assert (ended.status, ended.err) == (130, "nsml: interrupted\n")


def test_a_home_that_cannot_be_written_is_one_line(nsml: Nsml, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    for place, why in (
        (tmp_path / "file", f"{tmp_path / 'file'} is a file; name a folder"),
        (Path("/dev/null"), "/dev/null is a file; name a folder"),
        (tmp_path / "loop", f"{tmp_path / 'loop'} is a link that leads nowhere; name a folder"),
        (tmp_path / "gone", f"{tmp_path / 'gone'} is a link that leads nowhere; name a folder"),
        (tmp_path / ("x" * 300), "its name is too long; name another folder"),
    ):
        for home in (place, place / "home"):
            _is_one_clear_line(nsml("ps", NSML_HOME=str(home)), 2, f"nsml: NSML_HOME: {why}")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is a folder of Linux")
@pytest.mark.parametrize("home", ["/proc", "/proc/x", "/proc/x/y"])
def test_a_home_in_a_folder_that_takes_no_files_is_one_line(nsml: Nsml, home: str) -> None:
    _is_one_clear_line(
        nsml("ps", NSML_HOME=home), 2, f"nsml: NSML_HOME: {home} cannot be made (", "name another folder"
    )


@pytest.mark.parametrize("words", [("web", "--port", "abc"), ("ps", "-n", "many")])
def test_what_is_no_number_is_said_in_plain_words(nsml: Nsml, words: tuple[str, ...]) -> None:
    _is_one_clear_line(nsml(*words), 2, words[1], f"'{words[2]}' is not a whole number; see 'nsml {words[0]} --help'")


def test_a_bad_line_of_nsmlignore_is_named(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / ".nsmlignore").write_bytes(b"\xff\xfe\n")
    _is_one_clear_line(nsml("run", "-d", dataset), 2, ".nsmlignore", "UTF-8")


def test_debug_shows_the_traceback(nsml: Nsml) -> None:
    assert "Traceback" in nsml("--debug", "logs", "X/1").err
    assert "Traceback" in nsml("logs", "X/1", NSML_DEBUG="1").err

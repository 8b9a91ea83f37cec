"""Spellings of public scripts for the platform, and what the command answers to slips in its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Nsml, run_command, start_and_wait, wait_until


def _arguments(nsml: Nsml, session: str) -> str:
    (row,) = [r for r in json.loads(nsml("ps", "-a", "-j").out) if r["name"].endswith(session)]
    return str(row["arguments"])


def test_a_short_option_may_have_an_equals_sign(nsml: Nsml, dataset: str) -> None:
    assert start_and_wait(nsml, "-e=main.py", "-c=1", "-a=--epoch 1") == "tester/FUNDUS/1"
    assert _arguments(nsml, "FUNDUS/1") == "--epoch 1"


def test_a_value_that_looks_like_an_option_with_an_equals_sign_stays_one(nsml: Nsml, dataset: str) -> None:
    nsml("run", "-d", dataset, "-m", "-e=3")
    assert json.loads(nsml("ps", "-a", "-j").out)[0]["memo"] == "-e=3"


def test_options_that_mean_nothing_here_are_accepted_and_say_so(nsml: Nsml, dataset: str) -> None:
    ended = nsml("run", "-d", dataset, "--gpu-model=V100", "--esm", "A01", "--nfs-output", "--shm-size", "1G")
    assert ended.status == 0
    for option in ("--gpu-model", "--esm", "--nfs-output", "--shm-size"):
        assert f"{option} has no effect here" in ended.err


def test_the_working_folder_has_the_platforms_name(nsml: Nsml, trained: str, tmp_path: Path) -> None:
    assert nsml("download", trained, str(tmp_path / "one"), "-s", "/app/main.py").status == 0
    assert nsml("download", trained, str(tmp_path / "all"), "-s", "/app").status == 0
    assert (tmp_path / "one" / "main.py").is_file() and (tmp_path / "all" / "main.py").is_file()


def test_every_command_takes_a_checkpoint_in_one_word_with_its_session_or_in_two(nsml: Nsml, trained: str) -> None:
    commands = (["submit"], ["infer"], ["fork"], ["report"], ["model", "rm"], ["model", "pull"])
    for words in (["FUNDUS/1:9"], ["FUNDUS/1/9"], [f"{trained}:9"], [f"{trained}/9"], ["FUNDUS/1", "9"]):
        last = {"pull": ["."], "compare": [trained]}
        for command in (*commands, ["compare"]) if len(words) == 1 else commands:
            refused = nsml(*command, *words, *last.get(command[-1], []))
            assert (refused.status, refused.out) == (2, "")
            assert f"session {trained} has no checkpoint '9'; it has 0, 1, best" in refused.err


@pytest.mark.parametrize("words", [["FUNDUS/1:0"], ["FUNDUS/1/0"], ["FUNDUS/1", "0"]], ids=" ".join)
def test_a_fork_names_its_checkpoint_as_a_submit_does(nsml: Nsml, trained: str, words: list[str]) -> None:
    assert nsml("fork", *words).out == "Session tester/FUNDUS/2 is started\n"
    assert "continuing from checkpoint 0\nepoch 1\n" in nsml("logs", "-f", "FUNDUS/2").out


@pytest.mark.parametrize(
    "words",
    [["fork", "FUNDUS/1:0", "1"], ["fork", "FUNDUS/1:0", "-c", "1"], ["fork", "FUNDUS/1", "0", "-c", "1"],
     ["report", "FUNDUS/1/0", "1"], ["submit", "FUNDUS/1/0", "1"], ["model", "pull", "FUNDUS/1/0", "1", "."]],
    ids=" ".join,
)  # fmt: skip
def test_a_checkpoint_that_is_named_twice_is_refused(nsml: Nsml, trained: str, words: list[str]) -> None:
    refused = nsml(*words)
    assert refused.status == 2 and "CHECKPOINT: " in refused.err and "leave out" in refused.err
    assert len(refused.err.splitlines()) == 1


def test_a_session_of_a_dataset_whose_name_is_a_number_is_no_checkpoint(
    nsml: Nsml, project: Path, dataset: str
) -> None:
    nsml("dataset", "rename", dataset, "2019")
    assert start_and_wait(nsml, dataset="2019") == "tester/2019/1"
    assert "A  tester/2019/1:best\n" in nsml("compare", "tester/2019/1", "2019/1:0").out
    assert "B  tester/2019/1:0\n" in nsml("compare", "tester/2019/1", "tester/2019/1/0").out


# Names that look like options, and like other things.
STRANGE = ("-t", "--mode", "-x y", "a:b/c")


def test_a_checkpoint_of_any_name_is_submitted_and_forked(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "main.py").write_text(
        (project / "main.py").read_text() + f"    for name in {STRANGE}:\n        nsml.save(name)\n"
    )
    start_and_wait(nsml)
    for name in STRANGE:
        assert nsml("submit", f"FUNDUS/1:{name}").out.startswith("Score: 100.")
        forked = nsml("fork", "FUNDUS/1", "-c", name).out.split()[1]
        assert f"continuing from checkpoint {name}\n" in nsml("logs", "-f", forked).out
    assert nsml("submit", "-t", "--", "FUNDUS/1", "-t").status == 0


def test_a_session_alone_is_no_checkpoint(nsml: Nsml, trained: str) -> None:
    refused = nsml("submit", trained)
    assert refused.status == 2 and "Missing argument 'CHECKPOINT'" in refused.err


def test_stop_asks_nobody_where_there_is_no_terminal(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "main.py").write_text("import time; time.sleep(60)")
    nsml("run", "-d", dataset)
    wait_until(lambda: "Running" in nsml("ps").out)
    assert nsml("stop", "FUNDUS/1").out == "Session tester/FUNDUS/1 is stopped\n"


def test_arguments_given_twice_are_joined(nsml: Nsml, dataset: str) -> None:
    start_and_wait(nsml, "-a", "--epoch 1", "-a", "--pause 0")
    assert _arguments(nsml, "FUNDUS/1") == "--epoch 1 --pause 0"
    nsml("fork", "FUNDUS/1", "-a", "--epoch 3", "-a", "--pause 0")
    assert _arguments(nsml, "FUNDUS/2") == "--epoch 3 --pause 0"


def test_datasets_given_one_by_one_are_joined(nsml: Nsml, dataset: str, tmp_path: Path, project: Path) -> None:
    nsml("dataset", "push", "OTHER", str(tmp_path / "source"))
    (project / "main.py").write_text("import nsml; print(len(nsml.DATASET_PATH))")
    nsml("run", "-d", "OTHER", "-d", dataset)
    assert nsml("logs", "-f", "OTHER/1").out.startswith("2\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--epochs", "1"), '-a "--epochs ..."'),
        (("-a", "--epochs", "1"), '-a "--epochs 1"'),
        (("main.py", "-a", "--epochs", "1"), '-a "--epoch ..."'),
    ],
)
def test_arguments_without_quotes_are_refused_with_the_quotes(
    nsml: Nsml, dataset: str, words: tuple[str, ...], hint: str
) -> None:
    refused = nsml("run", "-d", dataset, *words)
    assert refused.status == 2 and hint in refused.err and "--esm" not in refused.err
    assert len(refused.err.splitlines()) == 1 and nsml("ps", "-a", "-j").out == "[]\n"


def test_a_folder_that_is_gone_is_named(dataset: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ended = run_command(["bash", "-c", f"cd {gone}; rmdir {gone}; {sys.executable} -m nsml run -d FUNDUS"], tmp_path)
    assert ended.status == 1
    assert ended.err.splitlines()[-1] == "nsml: the current folder no longer exists; cd to another one"


def test_a_closed_stream_is_no_fault(nsml: Nsml, dataset: str, project: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m nsml run -d FUNDUS <&- >&- 2>&-"], cwd=project, check=False
    )
    assert ended.returncode == 0
    assert "exit status 0" in nsml("logs", "-f", "FUNDUS/1").out.splitlines()[-1]


def test_login_says_where_a_variable_goes_before_it(nsml: Nsml) -> None:
    ended = nsml("login", "kim")
    assert ended.out == "Hello kim\n" and "NSML_USER is set, so new sessions use the name tester" in ended.err
    assert nsml("login", "tester").err == ""


def test_a_picture_that_was_reported_does_not_fill_the_table(nsml: Nsml, project: Path) -> None:
    (project / "p.py").write_text("import nsml\nnsml.report(summary=True, step=1, image=[[0.1] * 64] * 64, loss=0.5)\n")
    name = nsml("run", "-e", "p.py").out.split()[1]
    nsml("logs", "-f", name)
    row = nsml("ps", "-a").out.splitlines()[1]
    assert len(row) < 200 and "(64 items)" in row and "loss=0.5" in row

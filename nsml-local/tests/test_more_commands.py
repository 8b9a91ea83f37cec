"""`diff`, `memo`, `command`, `plot`, `status`, `credit`, `gpumem`, `logout`."""

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait

from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.metrics import MetricsWriter
from nsml.store.names import SessionName
from nsml.store.sessions import create_session, find_session


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("--epoch 2 --lr=0.1 -v", {"--epoch": "2", "--lr": "0.1", "-v": "-v"}),
        ("--members a:best b:30 --tta 1", {"--members": "a:best b:30", "--tta": "1"}),
        ("--low -1 -2 --flag", {"--low": "-1", "-2": "-2", "--flag": "--flag"}),
        ("first second --x", {"[0]": "first", "[1]": "second", "--x": "--x"}),
    ],
)
def test_diff_gives_each_argument_its_own_values(
    nsml: Nsml, dataset: str, project: Path, words: str, result: dict[str, str]
) -> None:
    (project / "show.py").write_text("print('here')")
    nsml("run", "-d", dataset, "-e", "show.py", "-a", words)
    nsml("run", "-d", dataset, "-e", "show.py")
    arguments = json.loads(nsml("diff", "FUNDUS/1", "FUNDUS/2", "-j").out)["arguments"]
    assert {name: pair[0] for name, pair in arguments.items() if name != "entry"} == result


def test_diff_shows_arguments_results_and_files(nsml: Nsml, dataset: str, project: Path) -> None:
    one = start_and_wait(nsml, "-a", "--epoch 2")
    (project / "main.py").write_text((project / "main.py").read_text().replace("% 4", "% 3"))
    two = start_and_wait(nsml, "-a", "--epoch 3")
    shown = nsml("diff", one, two).out
    assert (
        "--epoch" in shown
        and "-        return [int(image.mean()) % 4" in shown
        and "+        return [int(image.mean()) % 3" in shown
    )
    values = json.loads(nsml("diff", "-j", one, two).out)
    assert values["arguments"]["--epoch"] == ["2", "3"] and values["metrics"]["train/loss"] == [
        0.5,
        pytest.approx(1 / 3),
    ]


def test_diff_shows_what_each_session_was_given_and_asked_for(nsml: Nsml, dataset: str, project: Path) -> None:
    one = start_and_wait(nsml)
    (project / "requirements.txt").write_text("click>=8\n")
    two = start_and_wait(nsml, "-c", "1", "--env", "current", "--memory", "1500M")
    environment = json.loads(nsml("diff", "-j", one, two).out)["environment"]
    assert environment["packages"] == [None, "click>=8"] and environment["cpus"] == [None, 1]
    assert environment["--env"] == ["layer", "current"] and environment["memory"] == [None, 1_500_000_000]
    assert re.search(r"^memory +1\.5 GB$", nsml("diff", one, two).out, re.MULTILINE)


def test_diff_shows_first_what_differs_and_of_the_versions_nothing_else(nsml: Nsml, dataset: str) -> None:
    for loss, version in ((0.5, "2.1"), (0.25, "2.2")):
        versions = {"numpy": version, "click": "8.1", "torch": "2.5"}
        record = {"entry": "main.py", "arguments": [], "versions": versions}
        one = create_session(open_home(), "tester", dataset, record)
        one.code.mkdir()
        MetricsWriter(one.folder).append({"step": 1, "values": {"same": 1, "loss": loss}, "summary": True})
    lines = [line.split() for line in nsml("diff", "FUNDUS/1", "FUNDUS/2").out.splitlines()]
    assert ["versions", "numpy", "2.1", "numpy", "2.2"] in lines
    assert lines.index(["loss", "0.5", "0.25"]) < lines.index(["same", "1", "1"])
    assert "versions" not in nsml("diff", "FUNDUS/1", "FUNDUS/1").out
    assert "torch 2.5" in json.loads(nsml("diff", "-j", "FUNDUS/1", "FUNDUS/2").out)["environment"]["versions"][0]


def test_the_last_value_of_each_name_is_shown_also_where_the_last_report_has_others(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    (project / "main.py").write_text(
        "import nsml\n"
        "nsml.bind(save=lambda path: None)\n"
        "nsml.report(summary=True, step=9, gone__score=1)\n"
        "nsml.report(summary=True, step=1, val__score=60)\n"
        "nsml.report(summary=True, step=2, val__score=70, train__loss=0.5)\n"
        "nsml.report(summary=True, step=2, views__score=71)\n"
        "nsml.save('best')\n"
    )
    start_and_wait(nsml)
    shown = "step=2, views/score=71, val/score=70, train/loss=0.5"
    assert shown in nsml("ps", "-a", COLUMNS="200").out and shown in nsml("model", "ls", "FUNDUS/1").out
    values = json.loads(nsml("diff", "-j", "FUNDUS/1", "FUNDUS/1").out)["metrics"]
    assert values == {"step": [2, 2], "views/score": [71, 71], "val/score": [70, 70], "train/loss": [0.5, 0.5]}


def test_sessions_of_the_same_code_have_no_files_that_differ(nsml: Nsml, trained: str) -> None:
    assert "Files: the same" in nsml("diff", trained, trained).out


def test_a_memo_can_be_set_later_and_is_one_line(nsml: Nsml, trained: str) -> None:
    nsml("memo", trained, "두 번째\nline \x1b[31mred")
    line = nsml("ps", "-a").out.splitlines()[1]
    assert "두 번째 line" in line and "\x1b" not in line


def test_command_prints_what_starts_such_a_session_again(nsml: Nsml, dataset: str) -> None:
    name = start_and_wait(nsml, "-a", "--epoch 3", "-m", "a b")
    words = shlex.split(nsml("command", name).out)
    assert nsml(*words[1:]).out == "Session tester/FUNDUS/2 is started\n"
    nsml("logs", "-f", "FUNDUS/2")
    first, second = json.loads(nsml("ps", "-a", "-j").out)
    assert first["arguments"] == second["arguments"] and first["memo"] == second["memo"] == "a b"


@pytest.mark.parametrize(
    "options",
    [
        "-d FUNDUS,SECOND",
        "",
        "-d FUNDUS -c 1 --memory 900000000 --log-limit 5000000 --env current -g 0",
    ],
)
def test_command_names_all_that_a_session_was_started_with(
    nsml: Nsml, dataset: str, tmp_path: Path, options: str
) -> None:
    make_dataset(tmp_path / "second")
    nsml("dataset", "push", "SECOND", str(tmp_path / "second"))
    name = nsml("run", *options.split()).out.split()[1]
    nsml("logs", "-f", name)
    words = shlex.split(nsml("command", name).out)
    again = nsml(*words[1:]).out.split()[1]
    nsml("logs", "-f", again)
    first, second = (
        find_session(open_home(), SessionName("tester", n.split("/")[1], int(n[-1]))) for n in (name, again)
    )
    keys = ("limits", "dataset_paths", "entry", "arguments")
    launches = [json.loads((s.folder / "launch.json").read_text()) for s in (first, second)]
    assert [launches[0][key] for key in keys] == [launches[1][key] for key in keys]
    assert first.record()["env"] == second.record()["env"]
    assert shlex.split(nsml("command", again).out) == words
    assert (options == "") == ("-d" not in words)


def test_command_names_what_a_session_waited_for_and_that_it_would_not_wait(nsml: Nsml, dataset: str) -> None:
    first, second = start_and_wait(nsml), start_and_wait(nsml)
    options = ["--after", first, "--after", second, "--after-any", first, "--no-wait"]
    name = start_and_wait(nsml, *options)
    assert shlex.split(nsml("command", name).out)[-7:] == options


def test_command_names_the_engine_and_the_priority_of_a_session(nsml: Nsml) -> None:
    session = create_session(open_home(), "tester", "D", {"entry": "main.py", "arguments": []})
    asked = {"gpus": 2, "engine": "slurm", "options": "--partition=gpu --time=4:00", "requeue": True, "priority": -1}
    write_json(session.folder / "launch.json", {"queue": asked})
    words = "-g 2 --engine slurm --slurm '--partition=gpu --time=4:00' --requeue --priority -1"
    assert nsml("command", "D/1").out == f"nsml run -e main.py -d D {words}\n"


def test_plot_draws_each_value(nsml: Nsml, dataset: str) -> None:
    name = start_and_wait(nsml, "-a", "--epoch 4")
    assert "train/loss" in nsml("plot", name).out and "▁" in nsml("plot", name).out


def test_plot_as_csv_holds_every_value(nsml: Nsml, dataset: str) -> None:
    name = start_and_wait(nsml, "-a", "--epoch 4")
    rows = list(csv.DictReader(io.StringIO(nsml("plot", "--csv", name).out)))
    assert [float(row["train/loss"]) for row in rows] == [1.0, 0.5, pytest.approx(1 / 3), 0.25]


def test_a_reported_name_or_text_is_no_formula_in_the_csv_of_plot(nsml: Nsml) -> None:
    session = create_session(open_home(), "tester", "D", {"entry": "main.py", "arguments": []})
    metrics = MetricsWriter(session.folder)
    metrics.append(
        {
            "step": 1,
            "values": {"=1+2": 3, "note": '@SUM("x")', "low": None, "none": None},
            "not_finite": {"low": "-inf", "none": "nan"},
        }
    )
    metrics.close()
    assert list(csv.reader(io.StringIO(nsml("plot", "--csv", "D/1").out))) == [
        ["step", "time", "'=1+2", "low", "none", "note"],
        ["1", "", "3", "-inf", "nan", '\'@SUM("x")'],
    ]


def test_status_shows_the_machine(nsml: Nsml) -> None:
    values = json.loads(nsml("status", "-j").out)
    assert values["processors"] >= 1 and values["memory"] > 0 and values["disk_free"] > 0


def test_credit_says_that_local_use_is_free(nsml: Nsml) -> None:
    assert "free" in nsml("credit").out


def test_gpumem_says_where_there_is_no_gpu(nsml: Nsml) -> None:
    assert "no NVIDIA GPU" in nsml("gpumem", PATH="/nonexistent").out


def test_logout_forgets_the_name(nsml: Nsml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NSML_USER")
    before = nsml("whoami").out
    nsml("login", "team146")
    nsml("logout")
    assert nsml("whoami").out == before

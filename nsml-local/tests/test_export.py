"""`nsml export`: what other tools read of it, with their own readers."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import Nsml

from nsml.errors import install
from nsml.store.home import open_home
from nsml.store.metrics import MetricsWriter
from nsml.store.sessions import Session, create_session


def _session(*reports: dict[str, Any], arguments: str = "", status: str = "Exited", **more: Any) -> Session:
    record = {"kind": "run", "entry": "main.py", "arguments": arguments.split(), "created_at": 1000.0, **more}
    session = create_session(open_home(), "tester", "FUNDUS", record)
    writer = MetricsWriter(session.folder)
    for number, report in enumerate(reports):
        infinite = {name: str(value) for name, value in report.items() if value != value}
        values = {name: None if name in infinite else value for name, value in report.items()}
        line = {"step": 10 * number, "time": 1001.5 + number, "values": values}
        writer.append(line | ({"not_finite": infinite} if infinite else {}))
    writer.close()
    session.write_state(status, exit_status=0, started_at=1001.0, ended_at=1009.0)
    return session


@pytest.fixture
def two(nsml: Nsml) -> None:
    """A session of a sweep with curves, and one without reports."""
    sweep = {"name": "sweep-1", "point": {"set width": "16"}}
    first = _session(
        {"val/loss": 0.5, "phase": "warm"}, {"val/loss": 0.25, "val/score@std": 3}, {"val/loss": float("nan")},
        arguments="--learning_rate 0.001 --set width=16 --net=vgg", sweep=sweep,
    )  # fmt: skip
    first.write_memo("=HYPERLINK(1)")
    first.change_tags(["paper"])
    _session(status="Failed")


def _read(script: str, *arguments: str | Path) -> Any:
    """What a script prints as JSON with the tool's own reader, in a process of its own, as such tools warn when they are imported."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def _needs(*modules: str) -> None:
    if missing := [name for name in modules if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")


def test_a_csv_file_has_a_line_for_each_report_with_the_arguments(nsml: Nsml, two: None, project: Path) -> None:
    written = nsml("export", "--csv", "out.csv")
    assert written.status == 0 and written.out == "2 sessions are in out.csv\n", written.err
    with open(project / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["session"] for row in rows] == ["tester/FUNDUS/1"] * 3 + ["tester/FUNDUS/2"]
    first, last = rows[1], rows[3]
    assert first["argument/learning_rate"] == "0.001" and first["argument/set width"] == "16"
    assert first["argument/net"] == "vgg" and first["sweep"] == "sweep-1" and first["tags"] == "paper"
    assert (first["step"], first["time"], first["value/val/loss"]) == ("10", "1002.5", "0.25")
    assert rows[0]["value/phase"] == "warm" and rows[2]["value/val/loss"] == "nan"
    assert first["memo"] == "'=HYPERLINK(1)"
    assert last["status"] == "Failed" and last["step"] == "" and last["argument/learning_rate"] == ""
    assert nsml("export", "--csv", "-", "FUNDUS/2").out.count("\n") == 2


def test_tensorboard_reads_curves_and_arguments(nsml: Nsml, two: None, project: Path) -> None:
    _needs("tensorboardX", "tensorboard")
    written = nsml("export", "--tensorboard", "runs")
    assert written.status == 0, written.err
    assert "left out: 1 reported values that are no numbers" in written.err
    script = """
import json, sys, types
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")  # without starting TensorFlow
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import metadata
read = EventMultiplexer().AddRunsFromDirectory(sys.argv[1]).Reload()
scalars = [[s.step, s.wall_time, s.value] for s in read.Scalars("tester/FUNDUS/1", "val/loss")]
content = read.SummaryMetadata("tester/FUNDUS/1", metadata.SESSION_START_INFO_TAG).plugin_data.content
given = metadata.parse_session_start_info_plugin_data(content).hparams
print(json.dumps([sorted(read.Runs()), scalars[:2], given["learning_rate"].number_value, given["net"].string_value]))
"""
    runs, scalars, rate, net = _read(script, project / "runs")
    assert runs == ["tester/FUNDUS/1", "tester/FUNDUS/2"]
    assert scalars == [[0, 1001.5, 0.5], [10, 1002.5, 0.25]] and (rate, net) == (0.001, "vgg")


def test_mlflow_reads_runs_parameters_and_curves(nsml: Nsml, two: None, project: Path) -> None:
    _needs("mlflow", "sqlalchemy", "alembic")
    written = nsml("export", "--mlflow", "store")
    assert written.status == 0, written.err
    script = """
import json, os, sys
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow import MlflowClient
client = MlflowClient(f"sqlite:///{sys.argv[1]}/mlflow.db")
experiment = client.get_experiment_by_name("FUNDUS")
runs = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.run_name)
curve = client.get_metric_history(runs[0].info.run_id, "val/loss")
print(json.dumps({
    "runs": [[run.info.run_name, run.info.status, run.info.start_time, run.info.end_time] for run in runs],
    "params": runs[0].data.params, "memo": runs[0].data.tags["mlflow.note.content"], "tag": runs[0].data.tags["nsml.tags"],
    "curve": sorted([m.step, m.timestamp, str(m.value)] for m in curve), "other": runs[0].data.metrics["val/score_std"],
}))
"""
    read = _read(script, project / "store")
    assert read["runs"] == [
        ["tester/FUNDUS/1", "FINISHED", 1001000, 1009000],
        ["tester/FUNDUS/2", "FAILED", 1001000, 1009000],
    ]
    assert read["params"]["learning_rate"] == "0.001" and read["params"]["set width"] == "16"
    assert read["curve"] == [[0, 1001500, "0.5"], [10, 1002500, "0.25"], [20, 1003500, "nan"]]
    assert read["other"] == 3.0 and read["tag"] == "paper" and read["memo"] == "=HYPERLINK(1)"


@pytest.mark.parametrize(
    "words",
    [
        ("export",), ("export", "--csv", "a", "--mlflow", "b"), ("export", "--csv", "main.py"), ("export", "--csv", "."),
        ("export", "--csv", "a", "none/7"), ("export", "--csv", "a", "-d", "X", "none/7"),
        ("export", "--csv", "a", "-d", "X"), ("export", "--csv", "nowhere/a"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_refused_in_one_line(nsml: Nsml, words: tuple[str, ...]) -> None:
    refused = nsml(*words)
    assert refused.status == 2 and refused.err.count("\n") == 1


@pytest.mark.parametrize(("tool", "module"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_a_tool_that_is_not_installed_is_named_with_its_extra(
    nsml: Nsml, tmp_path: Path, two: None, project: Path, tool: str, module: str
) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ImportError('none', name={module!r})\n")
    (tmp_path / "alembic.py").write_text("")
    refused = nsml("export", f"--{tool}", "out", PYTHONPATH=str(tmp_path))
    assert refused.status == 2 and f"{module} is needed" in refused.err and refused.err.endswith(f"; {install(tool)}\n")
    assert not (project / "out").exists()


@pytest.mark.parametrize("tool", ["tensorboard", "mlflow"])
def test_a_folder_that_is_not_empty_is_left_alone(nsml: Nsml, two: None, project: Path, tool: str) -> None:
    _needs(*(["tensorboardX"] if tool == "tensorboard" else ["mlflow", "sqlalchemy", "alembic"]))
    (project / "out").mkdir()
    (project / "out" / "thesis.tex").touch()
    refused = nsml("export", f"--{tool}", "out")
    assert refused.status == 2 and "not empty" in refused.err
    assert [path.name for path in (project / "out").iterdir()] == ["thesis.tex"]

"""Sessions for other tools: a CSV file, TensorBoard's event files, an MLflow store. Each tool's own library writes its files."""

from __future__ import annotations

import contextlib
import csv
import math
import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ..errors import Damaged, NsmlError, RunFailed, install
from ..store.files import folder_beside, is_number
from ..store.metrics import read_metrics
from ..store.sessions import Session
from ..wording import no_formula, plain
from .differences import arguments_of

# What a spreadsheet and MLflow are given of a session, besides its arguments and values.
_FACTS = ("session", "status", "exit_status", "created_at", "started_at", "ended_at", "memo", "tags", "sweep")
_STATUS_OF_MLFLOW = {"Exited": "FINISHED", "Failed": "FAILED", "Stopped": "KILLED", "Lost": "KILLED"}
_METRICS, _OTHERS = 1000, 100  # in one request to MLflow
_LONGEST_PARAMETER, _LONGEST_TAG = 6000, 5000  # of MLflow


@dataclass
class Exported:
    """What the writers left out: values that are no numbers, of `sessions` sessions; and what is damaged, one message each."""

    sessions: int
    left_out: int
    damage: list[str]


@dataclass(frozen=True)
class _Row:
    session: Session
    facts: dict[str, Any]
    arguments: dict[str, str]
    reports: list[dict[str, Any]]


def export_csv(sessions: Sequence[Session], file: TextIO) -> Exported:
    """A line for each report of each session, and one for a session without reports; arguments are repeated in each line.

    Names of arguments begin with `argument/`, those of values with `value/`. Times are seconds since the epoch. A text that a spreadsheet
    would take for a formula begins with an apostrophe.
    """
    done = Exported(0, 0, [])
    arguments: dict[str, None] = {}
    values: dict[str, None] = {}
    for row in _rows(sessions, done):
        arguments |= dict.fromkeys(row.arguments)
        values |= {name: None for report in row.reports for name in report["values"]}
    done = Exported(0, 0, [])
    writer = csv.writer(file, lineterminator="\n")
    names = [*(f"argument/{name}" for name in arguments), "step", "time", *(f"value/{name}" for name in values)]
    writer.writerow(map(cell, [*_FACTS, *names]))
    for row in _rows(sessions, done):
        given = [*row.facts.values(), *(row.arguments.get(name) for name in arguments)]
        for report in row.reports or [{"values": {}}]:
            reported = {**report["values"], **(report.get("not_finite") or {})}
            cells = [*given, report.get("step"), report.get("time"), *(reported.get(name) for name in values)]
            writer.writerow(map(cell, cells))
    return done


def export_tensorboard(sessions: Sequence[Session], folder: Path) -> Exported:
    """A run USER/DATASET/NUMBER for each session, with its curves, and its arguments for the tab HPARAMS.

    Raises:
        NsmlError: tensorboardX is missing, or the folder is not empty.
    """
    try:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams
    except ImportError as error:
        raise _missing(error, "tensorboard") from None
    done = Exported(0, 0, [])
    with _new_folder(folder) as beside:
        for row in _rows(sessions, done):
            with SummaryWriter(str(beside / str(row.session.name))) as writer:
                for summary in hparams({name: _number(text) for name, text in row.arguments.items()}, {}):
                    writer.file_writer.add_summary(summary)
                for name, value, step, time in _curves(row, done):
                    writer.add_scalar(name, value, step, time)
    return done


def export_mlflow(sessions: Sequence[Session], folder: Path) -> Exported:
    """`mlflow.db`, an SQLite store with an experiment for each dataset and a run for each session.

    Raises:
        NsmlError: MLflow is missing, or the folder is not empty.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # nothing leaves this machine
    try:
        import alembic  # noqa: F401  # with SQLAlchemy, of the store
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag
    except ImportError as error:
        raise _missing(error, "mlflow") from None
    import logging

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    done = Exported(0, 0, [])
    with _new_folder(folder) as beside:
        client = MlflowClient(f"sqlite:///{beside.absolute()}/mlflow.db")
        experiments: dict[str, str] = {}
        for row in _rows(sessions, done):
            dataset = row.session.name.dataset
            if dataset not in experiments:
                place = (folder.absolute() / "artifacts" / dataset).as_uri()
                experiments[dataset] = client.create_experiment(dataset, artifact_location=place)
            began = row.facts["started_at"] or row.facts["created_at"]
            run = client.create_run(experiments[dataset], round(1000 * began), run_name=str(row.session.name)).info
            facts = {f"nsml.{name}": fact for name, fact in row.facts.items() if fact not in (None, "")}
            facts |= {"mlflow.user": row.session.name.user, "mlflow.note.content": row.facts["memo"]}
            _log(client, run.run_id, tags=[RunTag(name, str(fact)[:_LONGEST_TAG]) for name, fact in facts.items()])
            parameters = {_mlflow_name(name): text[:_LONGEST_PARAMETER] for name, text in row.arguments.items()}
            _log(client, run.run_id, params=[Param(name, text) for name, text in parameters.items()])
            curves = _curves(row, done)
            metrics = [
                Metric(_mlflow_name(name), value, round(1000 * time), step) for name, value, step, time in curves
            ]
            _log(client, run.run_id, metrics=metrics)
            ended = row.facts["ended_at"]
            status = _STATUS_OF_MLFLOW.get(row.facts["status"], "RUNNING")
            client.set_terminated(run.run_id, status, None if ended is None else round(1000 * ended))
    return done


def _log(client: Any, run: str, **lists: list[Any]) -> None:
    for kind, entries in lists.items():
        most = _METRICS if kind == "metrics" else _OTHERS
        for start in range(0, len(entries), most):
            client.log_batch(run, **{kind: entries[start : start + most]})


def _rows(sessions: Sequence[Session], done: Exported) -> Iterator[_Row]:
    """The readable sessions, one at a time, since the reports of all may not fit into memory."""
    for session in sessions:
        try:
            record, state = session.record(), session.state()
            reports, damage = read_metrics(session.folder)
        except Damaged as error:
            done.damage.append(str(error))
            continue
        except NsmlError:
            continue  # just removed
        if damage:
            done.damage.append(damage)
        done.sessions += 1
        sweep, point = session.sweep()
        facts = {
            "session": str(session.name),
            "status": str(state["status"]),
            "exit_status": state.get("exit_status"),
            "created_at": record["created_at"],
            "started_at": value if is_number(value := state.get("started_at")) else None,
            "ended_at": value if is_number(value := state.get("ended_at")) else None,
            "memo": plain(session.memo()),
            "tags": " ".join(session.tags()),
            "sweep": sweep,
        }
        assert tuple(facts) == _FACTS
        arguments = {name.lstrip("-"): plain(str(text)) for name, text in arguments_of(session).items()}
        yield _Row(session, facts, {plain(name): text for name, text in (arguments | point).items()}, reports)


def _curves(row: _Row, done: Exported) -> Iterator[tuple[str, float, int, float]]:
    """Name, value, step and time of each number that a session reported; the number of the report where it has no step."""
    for number, report in enumerate(row.reports):
        step, time = report.get("step"), report.get("time")
        place = int(step) if isinstance(step, int | float) and is_number(step) and abs(step) < 1 << 62 else number
        moment = time if isinstance(time, int | float) and is_number(time) else row.facts["created_at"]
        for name, value in (report["values"] | (report.get("not_finite") or {})).items():
            value = float(value) if is_number(value) or value in ("nan", "inf", "-inf") else None
            if value is None:
                done.left_out += 1
            else:
                yield plain(name), value, place, moment


def cell(value: Any) -> Any:
    """A value for a line of CSV: a text that a spreadsheet would take for a formula begins with an apostrophe."""
    if value is None or is_number(value):
        return value
    text = plain(str(value))
    try:
        float(text)  # also -inf
    except ValueError:
        return no_formula(text)
    return text


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _mlflow_name(name: str) -> str:
    """The name with those letters that MLflow accepts, and no path that leads upwards."""
    cleaned = posixpath.normpath("/" + re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)).lstrip("/")
    return cleaned[:250] or "_"


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside that takes the place of `folder` at the end, so that no half of an export is left."""
    if folder.exists() and (not folder.is_dir() or any(os.scandir(folder))):
        raise NsmlError(f"{folder} is {'not empty' if folder.is_dir() else 'a file'}; name a new folder")
    with folder_beside(folder.absolute().parent) as beside:
        yield beside
        try:
            os.rename(beside, folder)
        except OSError as error:
            raise RunFailed(f"{folder} cannot be written: {error.strerror}; name another folder") from None


def _missing(error: ImportError, extra: str) -> NsmlError:
    missing = (error.name or str(error)).partition(".")[0]
    return NsmlError(f"{missing} is needed to export for this tool; {install(extra)}")

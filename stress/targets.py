"""Everything that reads what somebody wrote: a name, the function that reads bytes of that kind, and what such bytes look like."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

from nsml.errors import NsmlError

# A target reads bytes, in a folder where it may write. It returns, or raises NsmlError, whose message is for the user.
Target = Callable[[bytes, Path], None]


def _text(content: bytes) -> str:
    """A text as a command line could hold it: without zero bytes, what is no UTF-8 as surrogates."""
    return content.replace(b"\0", b"").decode("utf-8", "surrogateescape")


def session_name(content: bytes, folder: Path) -> None:
    from nsml.store.names import parse_session_name

    name = parse_session_name(_text(content), "me")
    assert parse_session_name(str(name), "other") == name


def arguments(content: bytes, folder: Path) -> None:
    from nsml.engine.words import split_arguments
    from nsml.store.files import read_json, write_json

    words = split_arguments(_text(content))
    write_json(folder / "launch.json", {"home": "", "arguments": words})
    assert read_json(folder / "launch.json")["arguments"] == words


def ignore_file(content: bytes, folder: Path) -> None:
    from nsml.engine.snapshot import IGNORE_FILE, list_snapshot

    (folder / "a folder").mkdir(exist_ok=True)
    for name in ("main.py", "a folder/b.txt", "[c]"):
        (folder / name).touch()
    (folder / IGNORE_FILE).write_bytes(content)
    list_snapshot(folder)


def _project_file(name: str) -> Target:
    def read(content: bytes, folder: Path) -> None:
        from nsml.engine.requirements import loosened, missing_packages, read_needs

        (folder / name).write_bytes(content)
        needs = read_needs(folder)
        missing_packages(needs)
        for requirement in needs.packages:
            loosened(requirement)

    return read


def entry_file(content: bytes, folder: Path) -> None:
    from nsml.engine.check import check_project
    from nsml.engine.entry import check_entry, missing_reserved
    from nsml.engine.imports import walk
    from nsml.engine.snapshot import list_snapshot

    (folder / "main.py").write_bytes(content)
    check_entry(folder, "main.py")
    missing_reserved(folder, "main.py")
    check_project(folder, "main.py", list_snapshot(folder))
    walk.cache_clear()


def labels(content: bytes, folder: Path) -> None:
    from nsml.scoring.metrics import score_files

    (folder / "labels").write_bytes(content)
    (folder / "predictions").write_text("d,a,0\nd,b,1\n")
    score_files("fundus", folder / "predictions", folder / "labels")


def prediction_file(content: bytes, folder: Path) -> None:
    from nsml.scoring.metrics import _read_predictions, score_files
    from nsml.scoring.predictions import Kind

    (folder / "labels").write_text("d,a,0\nd,b,1\n")
    (folder / "predictions").write_bytes(content)
    for kind in Kind:
        try:
            _read_predictions(folder / "predictions", kind)
        except NsmlError:
            continue
    score_files("fundus", folder / "predictions", folder / "labels")


def validation_file(content: bytes, folder: Path) -> None:
    from nsml.comparing.predictions_file import read_predictions

    (folder / "validation.csv").write_bytes(content)
    read_predictions(folder / "validation.csv", "validation.csv")


def _record(name: str, read: Callable[[Path], object]) -> Target:
    def check(content: bytes, folder: Path) -> None:
        for sealed in (content, _with_seal(content)):
            (folder / name).write_bytes(sealed)
            read(folder)

    return check


def _with_seal(content: bytes) -> bytes:
    """The same with a checksum that fits, where it is a JSON object."""
    from nsml.store.sealing import BLANK, MEMBER, seal

    try:
        value = json.loads(content)
        return (
            seal(json.dumps({MEMBER: BLANK, **value})) if isinstance(value, dict) and MEMBER not in value else content
        )
    except (ValueError, RecursionError):
        return content


def _session(folder: Path) -> object:
    from nsml.cli.ps import _row, _status
    from nsml.store.names import SessionName
    from nsml.store.sessions import Session

    session = Session(SessionName("me", "D", 1), folder)
    return session.datasets(), _status(_row(session, {}))


def _with_session(folder: Path) -> object:
    from nsml.store.files import write_json

    write_json(folder / "session.json", {"created_at": 1.5, "entry": "main.py", "arguments": []})
    return _session(folder)


def _metrics(folder: Path) -> object:
    from nsml.store.files import is_number
    from nsml.store.metrics import last_summary, read_metrics
    from nsml.wording import values

    records, _ = read_metrics(folder)
    for record in records:
        [value for value in record["values"].values() if is_number(value)]
    return values(last_summary(folder))


def _manifest(folder: Path) -> object:
    from nsml.store.checkpoints import Checkpoint, list_checkpoints

    inside = folder / "checkpoints" / "best@1"
    inside.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "checkpoint.json", inside / "checkpoint.json")
    checkpoints = [c for c in list_checkpoints(folder / "checkpoints") if isinstance(c, Checkpoint)]
    return [(c.name, c.saved_at, c.elapsed, c.summary, c.size, c.beside) for c in checkpoints]


def _submission(folder: Path) -> object:
    from nsml.store.home import Home
    from nsml.store.submissions import ranking, submissions_of

    inside = folder / "submissions" / "D" / "1"
    inside.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "submission.json", inside / "submission.json")
    made, warnings = submissions_of(Home(folder), "D")
    return ranking(made, lower_is_better=False), warnings


def _dataset(folder: Path) -> object:
    from nsml.cli.dataset_push import describe
    from nsml.store.datasets import Dataset

    return describe(Dataset("D", folder))


def photograph(content: bytes, folder: Path) -> None:
    from nsml.scoring.photographs import Photographs, limit_of_photographs

    os.environ.update(limit_of_photographs())  # OpenCV looks at it once
    (folder / "a.png").write_bytes(content)
    (image,) = Photographs([folder / "a.png"])
    assert image.ndim == 3 and image.dtype == "uint8"


def answer_line(content: bytes, folder: Path) -> None:
    from nsml.scoring.inputs import read_input

    read_input(_text(content))


def weights_file(content: bytes, folder: Path) -> None:
    from model.checkpoint.network_files import _OF_HDF5
    from model.plain_hdf5 import check_plain

    (folder / "training.h5").write_bytes(content)
    try:
        check_plain(folder / "training.h5")
    except (OSError, ValueError, KeyError, *_OF_HDF5):
        return


def weights_settings(content: bytes, folder: Path) -> None:
    from model.checkpoint.network_files import CheckpointError, _read_settings

    (folder / "settings.json").write_bytes(content)
    try:
        _read_settings(folder)
    except CheckpointError:
        return


_SESSION = (
    b'{"created_at": 1.5, "entry": "main.py", "arguments": ["--epoch", "3"], "other_datasets": ["E"], "kind": "run"}'
)
_STATE = (
    b'{"status": "Failed", "process": {"pid": 1, "started": 2.5}, "exit_status": 3, "cause": "memory", "reason": "x"}'
)
_MANIFEST = (
    b'{"name": "best", "saved_at": 1.5, "elapsed": 2, "summary": {"step": 1, "val/score": 7.5}, '
    b'"files": [{"path": "", "size": 3, "sha256": "00"}, {"path": "../model.index", "size": 3, "sha256": "00"}]}'
)
_SETTINGS = (
    b'{"format": 2, "recipe": {"name": "winning", "phases": [{"name": "strong", "share": 1, "rate": 1, "label_smoothing": 0.1, '
    b'"augmentation": 1}], "width": 4, "depth": 2}, "classes": ["a", "b"], "seed": 0, "fold": 0, "epoch": 1, "best_loss": null, '
    b'"files": {"model.weights.h5": {}, "training.h5": {}}}'
)
# By name: the target, and examples from which inputs are made.
TARGETS: dict[str, tuple[Target, tuple[bytes, ...]]] = {
    "session name": (session_name, (b"team146/ODIR_FUNDUS/12", "안저/사진/1".encode(), b"../../1", b"FUNDUS/*")),
    "arguments": (arguments, (b"--epoch 5 --name 'a b' \"c\"", b"--x \\", b"\xff\xfe", "--이름 값".encode())),
    ".nsmlignore": (ignore_file, (b"*.pyc\n!main.py\n/a folder/**\n[a-z]\n", b"\\", b"[z-a]\n***\n", b"\xff")),
    "setup.py": (
        _project_file("setup.py"),
        (b"#nsml: image\nfrom setuptools import setup\nsetup(install_requires=['numpy>=1', 'a; os_name ~= \"x\"'])\n",),
    ),
    "requirements": (
        _project_file("requirements.txt"),
        (
            b"numpy>=1.2,<3\n-r other.txt\nfoo @ file:///x\nb; platform_release >= '5.4'\n",
            b"a==1.*\\\n  ; extra == 'x'\n",
        ),
    ),
    "nsml_package.txt": (_project_file("nsml_package.txt"), (b"git\n# x\nlibgl1\n",)),
    "entry file": (
        entry_file,
        (b"import argparse, nsml\nparser.add_argument('--mode')\nparser.parse_args()\nnsml.paused(scope=locals())\n",),
    ),
    "labels": (labels, (b"d,a,0\nd,b,1\n", b"0\n1\n", b"\xef\xbb\xbfd,a,3\r\nd,b,99999999\r\n")),
    "prediction file": (prediction_file, (b"d,a,0\nd,b,1\n", b"d,a,0.1 0.9\nd,b,1e400 nan\n", b"0\n1\n")),
    "validation file": (validation_file, (b"sample,patient,label,NORMAL,AMD\na,1,AMD,0.125,0.875\nb,2,NORMAL,1,0\n",)),
    "session.json": (_record("session.json", _session), (_SESSION, b"{}", b'{"created_at": 1e999}')),
    "state.json": (_record("state.json", _with_session), (_STATE, b"{}")),
    "checkpoint.json": (_record("checkpoint.json", _manifest), (_MANIFEST, b"{}")),
    "submission.json": (
        _record("submission.json", _submission),
        (b'{"user": "a", "session": "a/D/1", "checkpoint": "best", "score": 99.5, "at": 1.5}',),
    ),
    "dataset.json": (
        _record("dataset.json", _dataset),
        (
            b'{"source": "x", "created_at": 1.5, "metric": "fundus", "train": {"A": 3}, "train_files": 3, "test_files": 1, "size": 9}',
        ),
    ),
    "metrics.jsonl": (
        _record("metrics.jsonl", _metrics),
        (b'{"step": 1, "time": 1.5, "values": {"loss": 0.5}, "summary": true, "not_finite": {"x": "nan"}}\n',),
    ),
    "photograph": (
        photograph,
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08\x08\2\0\0\0", b"\xff\xd8\xff\xe0", b"BM"),
    ),
    "line of infer": (answer_line, (b'[1, {"a": null}]', b"photo.jpg", b"[" * 100)),
    "weights file": (weights_file, (b"\x89HDF\r\n\x1a\n", b"PK\3\4")),
    "settings.json": (weights_settings, (_SETTINGS,)),
}


def run_target(name: str, content: bytes, folder: Path) -> str:
    """Read `content` as target `name` does; what was wrong with how it was refused, empty where nothing was."""
    target, _ = TARGETS[name]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with redirect_stderr(io.StringIO()):
            target(content, folder)
    except NsmlError as error:
        return "" if str(error).strip() else "the message is empty"
    return ""

"""The words of a line of arguments."""

from __future__ import annotations

import contextlib
import shlex

from ..errors import Damaged, NsmlError
from ..store.files import read_json
from ..store.launches import FILE
from ..store.sessions import Session
from .environment import LAYER
from .log_limit import DEFAULT
from .queue import LOCAL
from .resources import Limits


def split_arguments(text: str) -> list[str]:
    """The words of -a, as a shell would split them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise NsmlError(f"-a {text!r}: {str(error).lower()}; close the quotation") from None


def run_words(session: Session) -> list[str]:
    """The words of the command that starts such a session again."""
    record = session.record()
    words = ["nsml", "run", "-e", record["entry"]]
    if datasets := session.datasets():
        words += ["-d", ",".join(datasets)]
    if record["arguments"]:
        words += ["-a", shlex.join(map(str, record["arguments"]))]
    limits, asked = Limits(), {}
    with contextlib.suppress(FileNotFoundError, Damaged):
        launch = read_json(session.folder / FILE)
        limits = Limits.of(launch)
        asked = queue if isinstance(queue := launch.get("queue"), dict) else {}
    if limits.gpus is not None or asked.get("gpus"):  # a session that waits has none yet
        words += ["-g", str(len(limits.gpus or ()) or asked.get("gpus") or 0)]
    if limits.cpus is not None:
        words += ["-c", str(limits.cpus)]
    if limits.memory is not None:
        words += ["--memory", str(limits.memory)]
    if limits.log != DEFAULT:
        words += ["--log-limit", str(limits.log)]
    if record.get("env", LAYER) != LAYER:
        words += ["--env", str(record["env"])]
    if asked.get("engine", LOCAL) != LOCAL:
        words += ["--engine", str(asked["engine"])]
    if asked.get("options"):
        words += ["--slurm", str(asked["options"])]
    if asked.get("requeue"):
        words += ["--requeue"]
    if asked.get("priority"):
        words += ["--priority", str(asked["priority"])]
    for option, key in (("--after", "after"), ("--after-any", "after_any")):
        for name in asked.get(key) or ():
            words += [option, str(name)]
    if not asked.get("waits", True):
        words += ["--no-wait"]
    return words

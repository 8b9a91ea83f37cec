"""Write a report on a checkpoint with the session's own program: `--mode report`."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import NsmlError, RunFailed
from ..store.checkpoints import Checkpoint
from ..store.files import folder_beside, make_private, regular, remove_tree, temporary_name, visible, walk
from ..store.home import Home
from ..store.launches import write_launch
from ..store.names import encode_checkpoint
from ..store.sessions import Session
from ..store.submissions import mark_as_running
from .entry import check_entry, knows_mode, paused_arguments
from .environment import session_interpreter
from .launch import datasets_of
from .memory import MemoryWatch
from .program import Program, end_program, how_it_ended, start_program
from .snapshot import copy_code

MODE = "report"
# Environment variable with the folder for the report.
VARIABLE = "NSML_REPORT"
_LOOK = 0.05


def report_folder(session: Session, checkpoint: str) -> Path:
    """The folder of the report on a checkpoint; it may not exist."""
    return session.reports / encode_checkpoint(checkpoint)


def write_report(
    home: Home,
    session: Session,
    checkpoint: Checkpoint,
    *,
    say: Callable[[str], None],
    on_output: Callable[[bytes], None],
) -> Path:
    """Run the program of `session` with `--mode report` in the session's environment, store its report, and return the page's path.

    A complete report replaces an earlier one. Nothing else of the session changes.

    Args:
        say: called with lines on the progress of an installation.
        on_output: called with the output of the program, often empty. Its exceptions end the program.

    Raises:
        NsmlError: the session has no code, or its program does not support `--mode report`.
        RunFailed: the program failed or wrote no page.
    """
    record = session.record_with_code()
    entry = record["entry"]
    check_entry(session.code, entry)
    if not knows_mode(session.code, entry, MODE):
        raise NsmlError(
            f"{entry} of session {session.name} does not know --mode {MODE}; have it write report.html into the folder that "
            f"the variable {VARIABLE} names ('nsml report --help')"
        )
    checkpoint.verify()
    datasets = datasets_of(home, session)
    with folder_beside(make_private(session.reports)) as beside, contextlib.ExitStack() as layer:
        mark_as_running(beside)
        python = layer.enter_context(session_interpreter(home, session, say))
        copy_code(session.code, beside / "work")
        left = make_private(beside / "report")
        write_launch(
            beside,
            home,
            session,
            [dataset.shown("training") for dataset in datasets],
            entry=entry,
            arguments=paused_arguments(session.code, entry, record["arguments"], checkpoint.name, mode=MODE),
            mode=MODE,
            source=str(session.name),
            checkpoint=checkpoint.name,
        )
        memory = MemoryWatch()
        program = start_program(beside, beside / "work", python, writable=[left], **{VARIABLE: str(left)})
        _follow(program, beside / "log.txt", on_output)
        if program.returncode:
            killed = memory.why_it_ended(program.returncode)[0]
            how = how_it_ended(program.returncode) + (f": {killed}" if killed else "")
            raise RunFailed(f"report failed: {entry} ended with {how}; see its output above")
        page = page_of(left)
        if page is None:
            raise RunFailed(f"report failed: {entry} wrote no .html file to the folder in the variable {VARIABLE}")
        target = report_folder(session, checkpoint.name)
        _put(left, target)
    return target / page.name


def _follow(program: Program, log: Path, on_output: Callable[[bytes], None]) -> None:
    try:
        with regular(log) as output:
            ended = False
            while not ended:
                ended = program.poll() is not None
                on_output(output.read())
                if not ended:
                    time.sleep(_LOOK)
    finally:
        end_program(program)


def page_of(folder: Path) -> Path | None:
    """The page of a report: report.html, else the first other page; None where there is none."""
    pages = [
        Path(entry.path)
        for entry in visible(folder)
        if entry.name.endswith(".html") and entry.is_file(follow_symlinks=False)
    ]
    return next((page for page in pages if page.name == "report.html"), pages[0] if pages else None)


def _put(folder: Path, target: Path) -> None:
    """Move `folder` to `target`, where an earlier report may be, which goes only when the new one is whole.

    What is neither a folder nor a regular file, a link for instance, is removed: who opens the page would follow it.
    """
    for root, folders, names in walk(folder):
        for path in (Path(root, name) for name in [*folders, *names]):
            if not (stat.S_ISDIR(mode := path.lstat().st_mode) or stat.S_ISREG(mode)):
                path.unlink()
    before = temporary_name(target.parent)
    if target.exists():
        os.rename(target, before)
    try:
        os.rename(folder, target)
    except OSError:
        if before.exists():
            os.rename(before, target)
        raise
    if before.exists():
        remove_tree(before)

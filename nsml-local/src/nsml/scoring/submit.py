"""Submit: from a checkpoint to the leaderboard, in the steps start, load, infer, predictions, score.

The error of a failed submit names the step. A failed submit does not count and does not change the leaderboard.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.check import reads_training_early
from ..engine.entry import check_entry, doubtful_reserved, missing_reserved, paused_arguments
from ..engine.environment import session_interpreter
from ..engine.launch import datasets_of
from ..engine.log_limit import LogLimit
from ..engine.memory import MemoryWatch
from ..engine.program import Program, end_program, how_it_ended, start_program
from ..engine.resources import Limits
from ..engine.snapshot import copy_code
from ..errors import Damaged, NsmlError, PredictionsRefused, Refused, RunFailed
from ..store.checkpoints import Checkpoint, whole_checkpoint
from ..store.datasets import Dataset, digest
from ..store.files import is_number, make_private, read_json, read_regular, regular, remove_tree, write_bytes
from ..store.home import Home
from ..store.launches import FILE as LAUNCH
from ..store.launches import write_launch
from ..store.log_cut import read_cut
from ..store.log_lines import append_line
from ..store.processes import identity
from ..store.sessions import Session, create_session
from ..store.submissions import close_submission, counted_submissions, open_submission, record_failure, record_score
from .guessing import one_answer_warning
from .labels import label_trouble
from .metrics import METRICS
from .photographs import limit_of_photographs
from .predictions import FILE, Kind
from .rules import published, rules_of
from .scorer import check_names, same_answers, score, wanted_predictions
from .spool import LONGEST_LOG, account, hand_in, wait_for_answer
from .steps import StepReader

# A decoded photograph has tens of MB, which glibc returns to the system when it is freed. Getting such memory again, page by page,
# takes a third of the decoding time. So the program reuses it; with one arena for all threads, as each arena would hold its own.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_ARENA_MAX": "1"}

# Subfolder of a submit that the program writes to: steps and predictions.
WRITTEN = "written"
_MOST_PREDICTIONS = 1 << 30  # bytes
_MEMORY_LOOK = 2.0  # seconds between two looks at the memory
# Seconds after which the referee, who looks twice a second, has published what the organiser has just changed.
_PUBLISHED = 1.5


@dataclass(frozen=True)
class Outcome:
    """Result of a submit. `first` holds the first lines of the predictions. In a dry run, `score` is None and `session` is its name.

    constant: the best score of the same answer for every photograph, if a built-in scorer computed it.
    left: the submissions that the rules leave to the user; "" where they leave any number.
    """

    score: float | None
    warnings: tuple[str, ...]
    first: tuple[str, ...]
    session: str | None
    constant: float | None = None
    lower_is_better: bool = False
    left: str = ""


def submit(
    home: Home,
    session: Session,
    checkpoint: str,
    *,
    dry_run: bool,
    limit: float,
    batch_size: int | None = None,
    entry: str | None = None,
    on_step: Callable[[dict[str, Any]], None],
    on_output: Callable[[bytes], None] | None = None,
) -> Outcome:
    """Predict the hidden test set with a checkpoint and score it.

    Args:
        dry_run: predict and check, but do not score; the log is stored as a session.
        limit: seconds for loading and predicting.
        batch_size: passed to an organiser's `feed_infer` if it has such a parameter.
        entry: entry file in the session's code, instead of the one of the session.
        on_step: called with each step (see `StepWriter`).
        on_output: called with the output of the program.

    Raises:
        NsmlError: the dataset, the checkpoint or the session's code is missing, or the program lacks the reserved arguments.
        RunFailed: a step failed; the message names it.
    """
    datasets = datasets_of(home, session)
    if not datasets:
        raise NsmlError(f"session {session.name} has no dataset to predict; run it with -d")
    dataset = datasets[0]
    stored = whole_checkpoint(session.checkpoints, checkpoint, str(session.name))
    record = session.record_with_code()
    record["entry"] = entry or record["entry"]
    check_entry(session.code, record["entry"])
    if missing := missing_reserved(session.code, record["entry"]):
        raise NsmlError(missing)
    if not (dataset.submission / "test").is_dir():
        raise NsmlError(f"dataset {dataset.name} has no test set; push it again with test/test_data/")
    spool = dataset.referee()
    if not dry_run and spool is None and not dataset.can_be_scored:
        raise NsmlError(
            f"dataset {dataset.name} has no test/test_label, so nothing can be scored; use 'nsml submit -t'"
        )
    rules = rules_of(dataset)
    user, began = home.user(), time.time()
    test_session = _open_test_session(home, session, record, stored) if dry_run else None
    folder = test_session.folder if test_session else open_submission(home, dataset.name, user, began)
    code = None
    reason = ""
    try:
        if not dry_run and spool is None:
            # The time now: another, of a lower number, may have begun after this one.
            if why := rules.refusal(user, counted_submissions(home, dataset.name, user, folder), time.time()):
                raise Refused(f"dataset {dataset.name}: {why}; 'nsml submit -t' tries without a score")
            if label_trouble(dataset):  # not said here, as it would show hidden labels
                if why := dataset.labels_unreadable():
                    raise RunFailed(
                        f"the labels of dataset {dataset.name} cannot be read ({why}), so nothing can be scored; its organiser changes the "
                        f"permissions of {dataset.labels}, and 'nsml submit -t' tries the checkpoint without labels"
                    )
                raise RunFailed(
                    f"the labels of dataset {dataset.name} are wrong, so nothing can be scored; its organiser sees why with 'nsml dataset "
                    "check PATH', corrects them and pushes it again, and 'nsml submit -t' tries the checkpoint without labels"
                )
        if not dry_run and spool is not None:
            _check_rules_of_referee(spool, dataset)
        code = _predict(home, datasets, session, stored, record, folder, limit, batch_size, on_step, on_output)
        predictions = _copy_predictions(folder)
        if spool is None and (dataset.loader.exists() or not dry_run):
            with _failing():
                check_names(dataset, predictions)
        first = _first_lines(predictions, dataset)
        same = same_answers(dataset, predictions)
        warnings = one_answer_warning(same, dataset.named)
        if test_session is not None:
            return Outcome(None, tuple(warnings), first, str(test_session.name))
        on_step({"step": "score"})
        if spool is not None:
            answer = _ask_referee(spool, folder, session, stored, limit, on_step)
            name, value = str(session.name), float(answer["score"])
            scorer = {"scorer": dataset.scored_by()["scorer"]}
            record_score(
                folder,
                user=user,
                session=name,
                checkpoint=stored.name,
                score=value,
                at=began,
                scored_by=scorer,
                **same,
            )
            left = str(answer.get("left", ""))
            return Outcome(value, tuple(warnings), first, None, None, rules.lower_is_better, left)
        scored_by = dataset.scored_by()
        with _failing():
            result = score(dataset, predictions)
        record_score(
            folder,
            user=user,
            session=str(session.name),
            checkpoint=stored.name,
            score=result.value,
            at=began,
            scored_by=scored_by,
            constant=result.constant,
            **same,
        )
        warnings = [*result.warnings, *warnings]
        left = rules.left(user, counted_submissions(home, dataset.name, user), time.time())
        return Outcome(result.value, tuple(warnings), first, None, result.constant, rules.lower_is_better, left)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            reason = "the submit was interrupted"
        else:
            reason = str(error) if isinstance(error, NsmlError) else f"{type(error).__name__}: {error}".rstrip(": ")
        with contextlib.suppress(OSError):
            append_line(folder / "log.txt", reason)
        if test_session is None:
            names = {"user": user, "session": str(session.name), "checkpoint": stored.name}
            record_failure(folder, **names, error=reason, refused=isinstance(error, Refused))
        raise
    finally:
        if test_session is not None:
            facts = {"reason": reason} if reason else {}
            status = "Exited" if code == 0 and not reason else "Failed"
            test_session.write_state(status, process=identity(), ended_at=time.time(), exit_status=code, **facts)
        else:
            close_submission(folder)
        for name in ("work", WRITTEN):
            remove_tree(folder / name)


def _check_rules_of_referee(spool: Path, dataset: Dataset) -> None:
    """Refused where the referee would refuse, before minutes of prediction. Nothing where none has started: he decides."""
    user, why = account(os.getuid()), ""
    with contextlib.suppress(RunFailed, FileNotFoundError):
        for wait in (0, _PUBLISHED):
            time.sleep(wait)
            rules, board = published(spool)
            if not (why := rules.refusal(user, board.get("times", {}).get(user, []), time.time())):
                return
    if why:
        raise Refused(f"dataset {dataset.name}: {why}; 'nsml submit -t' tries without a score")


def _ask_referee(
    spool: Path,
    folder: Path,
    session: Session,
    checkpoint: Checkpoint,
    limit: float,
    on_step: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Hand the predictions to the referee; return his answer with its `score`. Refused or RunFailed where he did not score them."""
    facts = {"session": str(session.name), "checkpoint": checkpoint.name}
    digests = {"code": digest(session.code), "model": digest(checkpoint.folder)}
    with regular(folder / "log.txt") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - LONGEST_LOG))
        name = hand_in(spool, facts | digests, (folder / FILE).read_bytes(), log.read())
    on_step({"step": "environment", "says": f"handed in as {name}; waiting for the referee"})
    answer = wait_for_answer(spool, name, limit)
    if answer.get("result") == "scored" and is_number(answer.get("score")):
        return answer
    reason = f"the referee says: {answer.get('reason', 'nothing')}"
    raise Refused(reason) if answer.get("result") == "refused" else RunFailed(reason)


def _copy_predictions(folder: Path) -> Path:
    """Copy the predictions out of the folder that the program can write to; return the path of the copy."""
    copy, written = folder / FILE, folder / WRITTEN / FILE
    try:
        content = read_regular(written, _MOST_PREDICTIONS)
    except OSError as error:
        raise PredictionsRefused(
            f"submit failed at predictions: {FILE} is {error.strerror}; let nsml.paused write it"
        ) from None
    write_bytes(copy, content)
    return copy


def _first_lines(predictions: Path, dataset: Dataset) -> tuple[str, ...]:
    """The first ten lines, with names of classes; for a binary file, one line with its size."""
    with regular(predictions) as file:
        content = file.read(64 * 1024)
    if b"\0" in content:
        return (f"(a binary file of {predictions.stat().st_size} bytes)",)
    # Names of files are bytes, and may contain characters at which `splitlines` splits.
    text = content.decode(errors="surrogateescape")
    lines = [line[:300].strip() for line in text.split("\n") if line.strip()][:10]
    if dataset.loader.exists() or METRICS[dataset.metric()].kind is not Kind.CLASS:
        return tuple(lines)
    parts = (line.rpartition(",") for line in lines)
    return tuple(f"{name}{comma}{dataset.named(answer)}" for name, comma, answer in parts)


def _open_test_session(home: Home, session: Session, record: dict[str, Any], checkpoint: Checkpoint) -> Session:
    opened = create_session(
        home, home.user(), session.name.dataset,
        {"kind": "test", "entry": record["entry"], "arguments": record["arguments"], "of": str(session.name)},
    )  # fmt: skip
    opened.write_memo(f"dry run of {session.name}, checkpoint {checkpoint.name}")
    opened.write_state("Running", process=identity())
    return opened


def _predict(
    home: Home,
    datasets: Sequence[Dataset],
    session: Session,
    checkpoint: Checkpoint,
    record: dict[str, Any],
    folder: Path,
    limit: float,
    batch_size: int | None,
    on_step: Callable[[dict[str, Any]], None],
    on_output: Callable[[bytes], None] | None,
) -> int:
    """Start the program, follow its steps to the end, and return its exit status 0. RunFailed if a step fails."""
    dataset, entry = datasets[0], record["entry"]
    copy_code(session.code, folder / "work")
    loader = dataset.loader if dataset.loader.exists() else None
    write_launch(
        folder,
        home,
        session,
        [each.shown("submission") for each in datasets],
        entry=entry,
        arguments=paused_arguments(session.code, entry, record["arguments"], checkpoint.name, mode="test"),
        mode="test",
        checkpoint=checkpoint.name,
        submission=str(make_private(folder / WRITTEN)),
        wanted=None if loader else wanted_predictions(dataset).to_dict(),
        limit=limit,
        batch_size=batch_size,
        loader=str(loader) if loader else None,
    )
    with session_interpreter(home, session, lambda line: on_step({"step": "environment", "says": line})) as python:
        if doubt := doubtful_reserved(session.code, entry):
            on_step({"step": "environment", "says": f"warning: {doubt}"})
        on_step({"step": "start"})
        log = folder / "log.txt"
        own = {name: value for name, value in _MALLOC.items() if name not in os.environ}
        memory = MemoryWatch()
        program = start_program(
            folder, folder / "work", python, writable=[folder / WRITTEN], **own, **limit_of_photographs()
        )
        keeper = LogLimit(log, _log_limit_of(session))

        def look_at_output() -> None:
            if on_output:
                on_output(output.read())
            keeper.look()

        try:
            with regular(log) as output:
                last = _follow(program, memory, StepReader(folder / WRITTEN), limit, on_step, look_at_output)
        finally:
            end_program(program)
    if "error" in last:
        at = "predictions" if last.get("refused") else last["step"]
        raise (PredictionsRefused if at == "predictions" else RunFailed)(
            f"submit failed at {at}: {last['error']}{_no_training_data(last['error'], dataset)} (log: {log})"
        )
    if last.get("step") != "done":
        how = how_it_ended(program.returncode)
        why = _why_no_end(entry, how, last, log)
        if killed := memory.why_it_ended(program.returncode)[0]:
            why += f"; {killed}"
        elif not last and (early := reads_training_early(session.code, entry)):
            why += f"; {early}"
        else:
            why += _no_training_data(why, dataset)
        raise RunFailed(f"submit failed at {last.get('step', 'start')}: {why} (log: {log})")
    return int(program.returncode)


def _follow(
    program: Program,
    memory: MemoryWatch,
    steps: StepReader,
    limit: float,
    on_step: Callable[[dict[str, Any]], None],
    look_at_output: Callable[[], None],
) -> dict[str, Any]:
    """Follow the process until it ends or the limit is reached; return its last step."""
    last: dict[str, Any] = {}
    until = time.monotonic() + limit
    ended = False
    next_look = 0.0
    while not ended:
        ended = program.poll() is not None
        look_at_output()
        if time.monotonic() > next_look:
            memory.look(program.pid)
            next_look = time.monotonic() + _MEMORY_LOOK
        for step in steps.new():
            last = step
            on_step(step)
        if ended:
            break
        if time.monotonic() > until:
            at = last.get("step", "start")
            return {"step": at, "error": f"it took more than {limit:.0f} seconds; make it faster, or raise --limit"}
        time.sleep(0.02)
    return last


def _why_no_end(entry: str, how: str, last: dict[str, Any], log: Path) -> str:
    if last:
        return f"{entry} ended with {how} before it had predicted all images{_last_line(log)}"
    if how == "exit status 0":
        return f"{entry} ended before it called nsml.paused; call nsml.paused(scope=locals()) after nsml.bind where --pause is 1"
    return f"{entry} ended with {how} before it called nsml.paused{_last_line(log)}"


def _no_training_data(said: str, dataset: Dataset) -> str:
    """A hint for errors that name the missing folder of the training data."""
    named = str(dataset.submission / "train") in said
    return "; a submit has no training data: save what infer needs of them in the checkpoint" if named else ""


def _log_limit_of(session: Session) -> int:
    """The session's own log limit in bytes."""
    try:
        return Limits.of(read_json(session.folder / LAUNCH)).log
    except (FileNotFoundError, Damaged):
        return Limits().log


def _last_line(log: Path) -> str:
    with regular(log) as file:
        file.seek(max(read_cut(log)[1], file.seek(0, os.SEEK_END) - 64 * 1024))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return f"; its last line of output: {lines[-1][:300]}" if lines else "; it printed nothing"


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Say at which step what cannot be scored failed."""
    try:
        yield
    except PredictionsRefused as error:
        raise PredictionsRefused(f"submit failed at predictions: {error}") from None
    except RunFailed as error:
        raise RunFailed(f"submit failed at score: {error}") from None

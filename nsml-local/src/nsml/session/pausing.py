"""`nsml.paused`: load the checkpoint of a forked or resumed session; in a submit, predict and end the process."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from ..errors import NsmlError, PredictionsRefused
from ..store.checkpoints import Checkpoint
from ..store.files import folder_beside
from ..store.names import parse_session_name
from ..store.sessions import find_session
from ..wording import counted, say
from .context import Context, current, reserved_argument
from .hooks import Hook, bound, load_from, newest_session_with


def paused(scope: dict[str, Any] | None = None) -> None:
    """Load the checkpoint with which this process was started, if any. Call it after `bind` and before the training.

    In a forked or resumed session and in a report, it returns after loading. In an infer session, it answers inputs until the
    session is stopped. In a submit, it passes the test data to `infer` and ends the process. Outside a session, `--mode test` does
    the same with the newest checkpoint (or `--iteration NAME`) of this user on the dataset and prints the score; `--pause 1` and
    `--mode report` load that checkpoint and return. Otherwise it does nothing.

    Args:
        scope: the caller's variables, usually `locals()`; accepted for compatibility, no effect.
    """
    context = current()
    if context.submission is not None:
        _predict_for_submit(context)
    elif context.mode == "test":
        _predict_in_the_foreground(context)
    elif context.source is not None:
        owner = find_session(context.home, parse_session_name(context.source, context.user))
        _announce(load_from(owner, context.checkpoint))
        if context.mode == "infer":
            _answer_inputs(context)
    elif context.mode == "report" or (reserved_argument("pause") or "0") not in ("0", ""):
        name = _named_iteration()
        _announce(load_from(newest_session_with(name), name))


def _announce(loaded: Checkpoint) -> None:
    what = "report on" if current().mode == "report" else "continuing from"
    say(f"nsml: {what} checkpoint {loaded.name}", 2)


def _answer_inputs(context: Context) -> NoReturn:
    """Answer `nsml infer` until the session is stopped. An input is the path of a photograph, JSON, or text."""
    from ..scoring.inputs import read_input
    from .answering import listen, serve

    infer = _need("infer")
    serve(listen(context.open_session()), lambda line: repr(infer(read_input(line))))
    raise AssertionError("serve never returns")


def _named_iteration() -> str | None:
    """`--iteration` if given on the command line; its default 0 on the platform names no checkpoint."""
    return reserved_argument("iteration") or None


def _need(name: str) -> Hook:
    hook = bound(name)
    if hook is None:
        raise NsmlError(
            f"no {name} function is bound; call nsml.bind(save=..., load=..., infer=...) before nsml.paused"
        )
    return hook


def _predict_for_submit(context: Context) -> NoReturn:
    from ..scoring.feed import describe, feed_test_data
    from ..scoring.loader import feed_with_loader
    from ..scoring.predictions import FILE, Wanted
    from ..scoring.steps import StepWriter

    assert context.submission is not None and context.session is not None
    steps = StepWriter(context.submission)
    output = context.submission / FILE
    step = "load"
    status = 1
    try:
        steps.write(step)
        infer = _need("infer")
        began = time.monotonic()
        load_from(context.session, context.checkpoint)
        say(f"load nsml model takes {time.monotonic() - began:.2f} seconds")
        step = "infer"
        steps.write(step, load_seconds=round(time.monotonic() - began, 2))
        say(f".Infer test set. The inference should be completed within {context.limit:.0f} seconds.")
        began = time.monotonic()
        if context.loader is not None:
            feed_with_loader(infer, context.loader, Path(context.dataset_path), output, context.batch_size)
        else:
            assert context.wanted is not None
            feed_test_data(
                infer,
                Path(context.dataset_path),
                output,
                Wanted.from_dict(context.wanted),
                lambda done, total: steps.write("infer", done=done, total=total),
            )
        say(f".Infer test set takes {time.monotonic() - began:.2f} seconds")
        steps.write("done", infer_seconds=round(time.monotonic() - began, 2))
        status = 0
    except BaseException as error:
        if not isinstance(error, NsmlError):
            say(traceback.format_exc().rstrip(), 2)
        steps.write(step, error=describe(error), refused=isinstance(error, PredictionsRefused))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the program may have closed or replaced it
            stream.flush()
    # Without unwinding, as a bare `except` around paused() would continue with the training.
    os._exit(status)


def _predict_in_the_foreground(context: Context) -> NoReturn:
    from ..scoring.feed import feed_test_data
    from ..scoring.predictions import FILE
    from ..scoring.rules import rules_of
    from ..scoring.scorer import print_result, wanted_predictions
    from ..store.datasets import find_dataset

    if not context.dataset:
        raise NsmlError(
            "there is no dataset; set NSML_DATASET to one of 'nsml dataset ls', or draw one with 'nsml dataset demo'"
        )
    dataset = find_dataset(context.home, context.dataset)
    if dataset.loader.exists():
        raise NsmlError(f"{dataset.name} has its own loader and scorer; use 'nsml submit -t SESSION CHECKPOINT'")
    infer = _need("infer")
    name = _named_iteration()
    owner = newest_session_with(name)
    loaded = load_from(owner, name)
    print(f"checkpoint {loaded.name} of session {owner.name}, dataset {dataset.name}", flush=True)
    began = time.monotonic()

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            rate = done / max(time.monotonic() - began, 1e-6)
            print(f"\rphotograph {done} of {total}, {rate:.1f}/s", end="\n" if done == total else "", file=sys.stderr)

    with folder_beside(context.home.path) as folder:
        output = folder / FILE
        count = feed_test_data(infer, Path(context.dataset_path), output, wanted_predictions(dataset), show)
        print(f"{counted(count, 'prediction')} made in {time.monotonic() - began:.1f} seconds", flush=True)
        has_referee = dataset.referee() is not None
        if has_referee or rules_of(dataset).limits_submissions():
            # Otherwise the rules could be avoided.
            why = "has a referee" if has_referee else "limits submissions"
            print(f"not scored, as dataset {dataset.name} {why}; 'nsml submit {owner.name} {loaded.name}' scores it")
        else:
            print_result(dataset, output)
    sys.exit(0)

"""`nsml.report`: record values of a session, with step and time."""

from __future__ import annotations

import sys
import time
from functools import lru_cache
from math import isfinite
from typing import Any

from ..store.metrics import MetricsWriter, newest_first
from .context import current

_writer: MetricsWriter | None = None
_warned = False
_listens = False
_scope: list[dict[str, Any]] = [{}]
latest_summary: dict[str, Any] = {}


def report(
    summary: bool | dict[str, Any] = False,
    scope: dict[str, Any] | None = None,
    step: Any = None,
    *more: dict[str, Any],
    **values: Any,
) -> None:
    """Record values of this session.

    Args:
        summary: also show the values in `nsml ps` and `nsml model ls`. A dict is used as such values.
        scope: variables for `nsml exec`.
        step: the step of the values, for example an epoch.
        values: strings, numbers, None, lists of them, and scalars of NumPy, TensorFlow and PyTorch. A double underscore in a key
            separates a group: `train__loss` becomes `train/loss`. NaN and infinity are allowed.

    Raises:
        TypeError: a value has no JSON form; the message names its key.
    """
    global _writer, _warned
    for positional in (summary, *more):
        if isinstance(positional, dict):
            values = positional | values
    plain: dict[str, Any] = {}
    not_finite: dict[str, str] = {}
    # Programs may report in every step, so plain numbers are handled here, without a call.
    for key, value in values.items():
        name = _name_of(key)
        kind = type(value)
        if kind is not float and kind is not int:
            value = plain_value(name, value)
        if type(value) is float and not isfinite(value):
            not_finite[name] = str(value)
            value = None
        plain[name] = value
    if type(step) is not int:
        step = plain_value("step", step)
    record: dict[str, Any] = {"step": step, "time": round(time.time(), 3), "values": plain}
    if isinstance(step, float) and not isfinite(step):
        raise TypeError("nsml.report: step must be a finite number, a string or None")
    if not_finite:
        record["not_finite"] = not_finite
    if summary:
        record["summary"] = True
        latest = newest_first(({} if step is None else {"step": step}) | plain | not_finite, latest_summary)
        latest_summary.clear()
        latest_summary.update(latest)
    context = current()
    if context.only_looks:
        return  # a submit or a report does not change the session
    if scope is not None:
        _show_scope(scope)
    try:
        if _writer is None:
            _writer = MetricsWriter(context.open_session().folder)
        _writer.append(record)
    except OSError as error:
        if not _warned:
            print(
                f"nsml.report: values cannot be stored ({error.strerror}); training continues without them",
                file=sys.stderr,
            )
            _warned = True


@lru_cache(4096)
def _name_of(key: Any) -> str:
    return str(key).replace("__", "/")


def _show_scope(scope: dict[str, Any]) -> None:
    """Make `scope` available to `nsml exec`, in place of an earlier one."""
    from .answering import listen, serve_in_background

    global _listens
    first, _listens = not _listens, True
    _scope[0] = scope
    if not first:
        return

    def evaluate(expression: str) -> str:
        return repr(eval(expression, {**_scope[0]}))

    try:
        serve_in_background(listen(current().open_session()), evaluate)
    except OSError as error:
        print(f"nsml.report: nsml exec is not available in this session: {error}", file=sys.stderr)


def plain_value(key: str, value: Any) -> Any:
    """`value` in a form for JSON (floats at the top level may still be NaN or infinite). TypeError if it has none."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        items = [plain_value(key, item) for item in value]
        return [None if isinstance(i, float) and not isfinite(i) else i for i in items]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        inner = {k: plain_value(key, v) for k, v in value.items()}
        return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in inner.items()}
    if not hasattr(value, "item") and callable(getattr(value, "numpy", None)):
        value = value.numpy()  # TensorFlow and Keras
    try:
        item = value.item()
    except (AttributeError, TypeError, ValueError, RuntimeError):
        item = value
    if isinstance(item, bool | int | float | str):
        for kind in (bool, int, float, str):  # as the plain type: the JSON form of a subclass may differ
            if isinstance(item, kind):
                return kind(item)
    raise TypeError(
        f"nsml.report: {key} is a {type(value).__name__}, which has no JSON form; report a number or a string"
    )

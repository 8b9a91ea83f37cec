"""`nsml.report`: values of a session against a step and the time."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from ..store.metrics import MetricsWriter
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
        summary: also show them in `nsml ps` and `nsml model ls`. A dict in this place is taken for values that are shown.
        scope: the variables that `nsml exec` may see.
        step: what the values belong to, an epoch for instance.
        values: strings, numbers, None, lists of them, and scalars of NumPy, TensorFlow and PyTorch. A double underscore in a key
            is a group: `train__loss` is `train/loss`. NaN and infinity are kept as such.

    Raises:
        TypeError: a value that JSON cannot hold; the message names its key.
    """
    global _writer, _warned
    for positional in (summary, *more):
        if isinstance(positional, dict):
            values = positional | values
    plain: dict[str, Any] = {}
    not_finite: dict[str, str] = {}
    for key, value in values.items():
        name = str(key).replace("__", "/")
        plain[name] = _plain(name, value)
        if isinstance(plain[name], float) and not math.isfinite(plain[name]):
            not_finite[name] = str(plain[name])
            plain[name] = None
    record: dict[str, Any] = {"step": _plain("step", step), "time": round(time.time(), 3), "values": plain}
    if isinstance(record["step"], float) and not math.isfinite(record["step"]):
        raise TypeError("nsml.report: step must be a finite number, a string or None")
    if not_finite:
        record["not_finite"] = not_finite
    if summary:
        record["summary"] = True
        latest_summary.clear()
        latest_summary.update({} if record["step"] is None else {"step": record["step"]}, **plain | not_finite)
    context = current()
    if context.submission is not None or context.mode == "test":
        return  # a submit shows the trained session, whose record is closed
    if scope is not None:
        _show_scope(scope)
    try:
        if _writer is None:
            _writer = MetricsWriter(context.open_session().folder)
        _writer.append(record)
    except OSError as error:
        if not _warned:
            print(f"nsml.report: values are not kept: {error.strerror}; training goes on", file=sys.stderr)
            _warned = True


def _show_scope(scope: dict[str, Any]) -> None:
    """Let `nsml exec` evaluate in `scope`, the last one that was reported."""
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
        print(f"nsml.report: nsml exec will not reach this session: {error}", file=sys.stderr)


def _plain(key: str, value: Any) -> Any:
    """`value` as JSON can hold it (floats may still be NaN or infinite at the top level)."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        items = [_plain(key, item) for item in value]
        return [None if isinstance(i, float) and not math.isfinite(i) else i for i in items]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        inner = {k: _plain(key, v) for k, v in value.items()}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in inner.items()}
    if not hasattr(value, "item") and callable(getattr(value, "numpy", None)):
        value = value.numpy()  # TensorFlow and Keras
    try:
        item = value.item()
    except (AttributeError, TypeError, ValueError, RuntimeError):
        item = value
    if isinstance(item, bool | int | float | str):
        for kind in (bool, int, float, str):  # without the subclass, whose JSON form may differ
            if isinstance(item, kind):
                return kind(item)
    raise TypeError(
        f"nsml.report: {key} is a {type(value).__name__}, which JSON cannot hold; report a number or a string"
    )

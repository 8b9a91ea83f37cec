"""`nsml.cache`: preprocess a dataset once, and share the result between sessions."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import first_of, fix_for
from ..store.files import TEMPORARY, make_private, remove_tree, writing
from .context import current


def cache(
    preprocess_fn: Callable[..., Any],
    output_path: str | list[str] | None = None,
    data: Any = None,
    **kwargs: Any,
) -> Any:
    """Run `preprocess_fn(output_path, data, **kwargs)` once per user, push of the dataset, and paths; later calls reuse its files.

    Args:
        preprocess_fn: writes its results to the given paths. `data` is not passed if it is None and the function has no such
            parameter.
        output_path: paths of the results, default `["./processed"]`. The files are stored outside the session and linked to
            these paths.

    Returns:
        The result of `preprocess_fn`; None if it was not called.
    """
    paths = [output_path] if isinstance(output_path, str) else list(output_path or ["./processed"])
    context = current()
    folder = make_private(context.home.output / context.user / "cache" / (context.dataset or "none"))
    stores = [_store(folder, path, context.pushed_at) for path in paths]
    for path, store in zip(paths, stores, strict=True):
        _unlink_other(Path(path), store)
    if all(store.exists() for store in stores):
        for path, store in zip(paths, stores, strict=True):
            _link(Path(path), store)
        return None
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    result = _call(preprocess_fn, paths, data, kwargs)
    for path, store in zip(paths, stores, strict=True):
        _save(Path(path), store)
    return result


def _call(function: Callable[..., Any], paths: list[str], data: Any, kwargs: dict[str, Any]) -> Any:
    from inspect import Parameter, signature

    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return function(paths, data, **kwargs)
    named = {p.name for p in parameters if p.kind is not Parameter.POSITIONAL_ONLY}
    if "output_path" in named:
        # By name, as in the usual `def loader(data_path, img_size, output_path)`.
        given = {"data": data} if "data" in named and "data" not in kwargs else {}
        return function(output_path=paths, **given, **kwargs)
    positional = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    takes_data = len([p for p in positional if p.name not in kwargs]) > 1 or any(
        p.kind is Parameter.VAR_POSITIONAL for p in parameters
    )
    return function(paths, data, **kwargs) if takes_data or data is not None else function(paths, **kwargs)


def _store(folder: Path, path: str, pushed_at: Sequence[float]) -> Path:
    """Where the result at `path` is kept: elsewhere after a new push, whose photographs or labels may be others under the same name."""
    from hashlib import sha256

    from ..store.names import encode_checkpoint

    named = folder / encode_checkpoint(os.path.normpath(path))
    # Older versions kept it under the path alone; what they kept since the push is of the same data.
    if not pushed_at or (named.exists() and named.stat().st_ctime > max(pushed_at)):
        return named
    return named.with_name(f"{named.name}@{sha256(repr([*pushed_at]).encode()).hexdigest()[:12]}")


def _save(path: Path, store: Path) -> None:
    if not path.exists():
        print(f"nsml.cache: the function wrote nothing to {path}; the next session will call it again", file=sys.stderr)
        return
    try:
        with writing(store):
            _copy(path, store, flush=True)
    except OSError as error:
        first = first_of(error)
        why = f"{first.filename or path}: {first.strerror or first}; {fix_for(first)}"
        print(
            f"nsml.cache: {path} is not kept, so the next session will call the function again: {why}", file=sys.stderr
        )


def _copy(source: Path, target: Path, *, flush: bool) -> None:
    """Copy a file or a folder atomically; `flush` writes it to the disk first, where it is to outlive a crash."""
    # Without a process id, which of an isolated program says nothing outside, so that 'nsml doctor' takes it for left after a day.
    beside = target.with_name(f"{TEMPORARY}cache-{os.urandom(6).hex()}")
    try:
        if source.is_dir():
            shutil.copytree(source, beside)
        else:
            shutil.copyfile(source, beside)
        if flush:
            os.sync()  # one by one, thousands of files would take minutes
        os.rename(beside, target)
    except OSError:
        if not target.exists():  # else another session was first; its copy is used
            raise
    finally:
        remove_tree(beside)
        with contextlib.suppress(OSError):
            beside.unlink()


def _unlink_other(path: Path, store: Path) -> None:
    """Remove a link of ours to another result, as of an earlier push, which else would be used, or be written into."""
    if path.is_symlink() and (target := path.readlink()) != store and target.parent.parent == store.parent.parent:
        path.unlink()


def _link(path: Path, store: Path) -> None:
    if path.exists() or path.is_symlink():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(store)
    except OSError:
        # Some file systems have no links.
        _copy(store, path, flush=False)

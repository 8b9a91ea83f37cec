"""`nsml.cache`: work done once for a dataset, and found again by later sessions."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..store.files import flush_to_disk, make_private, temporary_name
from .context import current


def cache(
    preprocess_fn: Callable[..., Any],
    output_path: str | list[str] | None = None,
    data: Any = None,
    **kwargs: Any,
) -> Any:
    """Run `preprocess_fn(output_path, data, **kwargs)` once for this user, dataset and set of paths; later its files are found.

    Args:
        preprocess_fn: writes its results at the paths it is given. `data` is left out of the call where it is None and the function
            takes no such argument.
        output_path: where the program looks for the results, `["./processed"]` by default. They are kept outside the session and
            linked there, so that sessions share them.

    Returns what `preprocess_fn` returned, None where it was not called.
    """
    paths = [output_path] if isinstance(output_path, str) else list(output_path or ["./processed"])
    context = current()
    kept = make_private(context.home.output / context.user / "cache" / (context.dataset or "none"))
    stores = [kept / _store_name(path) for path in paths]
    if all(store.exists() for store in stores):
        for path, store in zip(paths, stores, strict=True):
            _link(Path(path), store)
        return None
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    result = _call(preprocess_fn, paths, data, kwargs)
    for path, store in zip(paths, stores, strict=True):
        _keep(Path(path), store)
    return result


def _call(function: Callable[..., Any], paths: list[str], data: Any, kwargs: dict[str, Any]) -> Any:
    from inspect import Parameter, signature

    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return function(paths, data, **kwargs)
    named = {p.name for p in parameters if p.kind is not Parameter.POSITIONAL_ONLY}
    if "output_path" in named:
        # By name, wherever it stands: `def loader(data_path, img_size, output_path)` is the usual shape.
        given = {"data": data} if "data" in named and "data" not in kwargs else {}
        return function(output_path=paths, **given, **kwargs)
    positional = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    takes_data = len([p for p in positional if p.name not in kwargs]) > 1 or any(
        p.kind is Parameter.VAR_POSITIONAL for p in parameters
    )
    return function(paths, data, **kwargs) if takes_data or data is not None else function(paths, **kwargs)


def _store_name(path: str) -> str:
    from ..store.names import encode_checkpoint

    return encode_checkpoint(os.path.normpath(path))


def _keep(path: Path, store: Path) -> None:
    if not path.exists():
        print(f"nsml.cache: the function wrote nothing at {path}; it will be called again next time", file=sys.stderr)
        return
    _copy(path, store)


def _copy(source: Path, target: Path) -> None:
    """A file or a folder, which is there as a whole or not at all."""
    beside = temporary_name(target.parent)
    if source.is_dir():
        shutil.copytree(source, beside)
    else:
        shutil.copyfile(source, beside)
        flush_to_disk(beside)
    try:
        os.rename(beside, target)
    except OSError:
        # Another session was first; what it kept serves as well.
        shutil.rmtree(beside, ignore_errors=True) if beside.is_dir() else beside.unlink()


def _link(path: Path, store: Path) -> None:
    if path.exists() or path.is_symlink():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(store)
    except OSError:
        # Some disks know no links: those of cameras and sticks, some of networks.
        _copy(store, path)

"""`nsml.bind`, `nsml.save`, `nsml.load` and `nsml.infer`: the competitor's own functions, and when they are called."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NsmlError
from ..store.checkpoints import Checkpoint, list_checkpoints, store, whole_checkpoint
from ..store.names import parse_session_name
from ..store.sessions import Session, find_session, list_sessions
from .context import current

Hook = Callable[..., Any]

_bound: dict[str, Hook] = {}
# The keywords of the bind that a hook came with.
_extra: dict[str, dict[str, Any]] = {}


def bind(
    save: Hook | None = None,
    load: Hook | None = None,
    infer: Hook | None = None,
    *more: Any,
    use_nsml_legacy: bool | None = None,
    **kwargs: Any,
) -> None:
    """Register the hooks of this program. May be called again: the last value that is not None counts.

    Args:
        save: `save(dir_path, **kwargs)` writes files under a folder.
        load: `load(dir_path, **kwargs)` reads them back.
        infer: `infer(data, **kwargs)` returns the predictions in the order of `data`.
        more, use_nsml_legacy: accepted since old programs give them; they change nothing.
        kwargs: handed to the `save` and `load` of this call.
    """
    for name, hook in (("save", save), ("load", load), ("infer", infer)):
        if hook is None:
            continue
        if not callable(hook):
            raise TypeError(f"nsml.bind: {name} is a {type(hook).__name__}; give a function")
        _bound[name], _extra[name] = hook, kwargs


def save(checkpoint: Any = None, save_fn: Hook | None = None, *, iteration: Any = None) -> None:
    """Keep a checkpoint of this session, whole or not at all; saving a name again replaces it.

    Args:
        checkpoint: its name, an int or a string; without one it is the current time. `iteration` is the older name.
        save_fn: writes the files instead of the bound `save`.

    Raises whatever the hook raises; the checkpoint of that name that was there before is then still there.
    """
    from .reporting import latest_summary

    context = current()
    if context.only_looks:
        print("nsml.save: nothing is kept while a checkpoint is only predicted with or reported on", file=sys.stderr)
        return
    name = _name_of(checkpoint if checkpoint is not None else iteration)
    if name is None:
        name = time.strftime("%Y-%m-%d_%H-%M-%S")
    hook = save_fn or _bound.get("save")
    if hook is None:
        print(f"nsml.save: no save function is bound, checkpoint {name} is empty", file=sys.stderr)
    session = context.open_session()
    now = time.monotonic()
    kept = store(
        session.checkpoints,
        name,
        lambda path: _write_with(hook, path, {} if save_fn else _extra.get("save", {})),
        elapsed=now - context.saved_at,
        summary=dict(latest_summary),
    )
    context.saved_at = time.monotonic()
    if hook is not None and not kept.manifest["files"]:
        print(f"nsml.save: the save function wrote no file, checkpoint {name} is empty", file=sys.stderr)


def save_folder(checkpoint: Any, folder: str) -> None:
    """Keep a copy of `folder` as a checkpoint, which a bound `load` gets like any other."""

    def copy_in(path: str, **kwargs: Any) -> None:
        shutil.copytree(folder, path, dirs_exist_ok=True)

    save(checkpoint, save_fn=copy_in)


def _write_with(hook: Hook | None, path: Path, extra: dict[str, Any]) -> None:
    """Call a save hook with a folder; where it fails before it wrote anything, with the bare path, as programs of 2018 expect."""
    path.mkdir()
    if hook is None:
        return
    try:
        hook(str(path), **extra)
    except Exception as error:
        if any(os.scandir(path)):
            raise
        path.rmdir()
        try:
            hook(str(path), **extra)
        except Exception:
            raise error from None
        if not path.exists():
            path.mkdir()


def load(
    checkpoint: Any = None,
    load_fn: Hook | None = None,
    session: str | None = None,
    *,
    iteration: Any = None,
) -> None:
    """Hand a checkpoint's files to `load_fn`, else to the bound `load`.

    Args:
        checkpoint: its name; the newest where it is None. `iteration` is the older name.
        session: whose checkpoint, `USER/DATASET/NUMBER`; this session's where it is None.

    Raises:
        NsmlError: no such session or checkpoint (the message names those that exist), or its files are not those saved.
    """
    context = current()
    name = _name_of(checkpoint if checkpoint is not None else iteration)
    if session is not None:
        owner = find_session(context.home, parse_session_name(session, context.user))
    elif context.session is not None:
        owner = context.session
    else:
        owner = newest_session_with(name)
    load_from(owner, name, load_fn)


def load_from(owner: Session, name: str | None, load_fn: Hook | None = None) -> Checkpoint:
    """Check the files of a checkpoint and hand them to a load hook."""
    found = whole_checkpoint(owner.checkpoints, name, str(owner.name))
    hook = load_fn or _bound.get("load")
    if hook is None:
        raise NsmlError("nsml.load: no load function is bound; call nsml.bind(save=..., load=..., infer=...) first")
    _read_with(hook, found, {} if load_fn else _extra.get("load", {}))
    return found


def _read_with(hook: Hook, found: Checkpoint, extra: dict[str, Any]) -> None:
    """Call a load hook with the folder that was saved; where it fails and that holds one file, with the file, as the platform did."""
    try:
        hook(str(found.model), **extra)
    except Exception as error:
        files = [entry for entry in os.scandir(found.model)] if found.model.is_dir() else []
        if len(files) != 1 or not files[0].is_file():
            raise
        try:
            hook(files[0].path, **extra)
        except Exception:
            raise error from None


def newest_session_with(name: str | None) -> Session:
    """The session of this user and dataset that last saved a checkpoint (of that name, where one is given)."""
    context = current()
    best: tuple[float, Session] | None = None
    for session in list_sessions(context.home, context.user, context.dataset or "none"):
        for kept in list_checkpoints(session.checkpoints):
            if not isinstance(kept, Checkpoint) or name not in (None, kept.name):
                continue
            if best is None or kept.saved_at > best[0]:
                best = (kept.saved_at, session)
    if best is None:
        what = "a checkpoint" if name is None else f"a checkpoint {name!r}"
        raise NsmlError(
            f"no session of {context.user} on {context.dataset or 'no dataset'} has {what}; "
            "'nsml ps -a' lists the sessions, 'nsml model ls SESSION' the checkpoints"
        )
    return best[1]


def infer(*data: Any, **kwargs: Any) -> Any:
    """Call the bound `infer` and return what it returns."""
    hook = _bound.get("infer")
    if hook is None:
        raise NsmlError("nsml.infer: no infer function is bound; call nsml.bind(save=..., load=..., infer=...) first")
    return hook(*data, **kwargs)


def bound(name: str) -> Hook | None:
    """The hook of that name, "save", "load" or "infer", if one is bound."""
    return _bound.get(name)


def _name_of(checkpoint: Any) -> str | None:
    return None if checkpoint is None else str(checkpoint)

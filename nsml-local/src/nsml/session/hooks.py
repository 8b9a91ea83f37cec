"""`nsml.bind`, `nsml.save`, `nsml.load` and `nsml.infer`: the competitor's own functions, and when they are called."""

from __future__ import annotations

import contextlib
import dis
import inspect
import os
import pickle
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import NsmlError, RunFailed
from ..store.checkpoints import Checkpoint, list_checkpoints, store, whole_checkpoint
from ..store.launches import ISOLATED
from ..store.names import parse_session_name
from ..store.sessions import Session, find_session, list_sessions
from .context import current
from .objects import holds_objects, load_objects, save_objects

Hook = Callable[..., Any]

_bound: dict[str, Hook] = {}
# The keywords of the bind that a hook came with.
_extra: dict[str, dict[str, Any]] = {}
# The keywords of all binds, the later value where two have the same name.
_objects: dict[str, Any] = {}
# PyTorch 2.6 and later read no pickle but of tensors, unless this says so or the program does.
_ALLOWS_PICKLES, _FORBIDS_PICKLES = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_allows_pickles = _pickles_are_told = False


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
        kwargs: handed to the `save` and `load` of this call, and to `save_fn` and `load_fn`, as far as each takes them. Where no `save`
            is bound, these are the objects that `nsml.save` keeps, and where no `load` is, those that `nsml.load` puts back:
            PyTorch modules and optimizers, Keras models and optimizers and TensorFlow sessions by their own means, the rest pickled.
    """
    _objects.update(kwargs)
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

    Nothing is kept in a submit. Nor is what a session that goes on from a checkpoint saves before it has loaded that: it is not trained.

    Raises:
        RunFailed: the session goes on from a checkpoint, and the program is past `nsml.paused` without having loaded it.
        Whatever the hook raises; the checkpoint of that name that was there before is then still there.
    """
    from .reporting import latest_summary

    context = current()
    if context.only_looks:
        print("nsml.save: nothing is kept while a checkpoint is only predicted with or reported on", file=sys.stderr)
        return
    name = _name_of(checkpoint if checkpoint is not None else iteration)
    if name is None:
        name = time.strftime("%Y-%m-%d_%H-%M-%S")
    if context.waits_for_a_checkpoint:
        _refuse(name, context.checkpoint)
        return
    hook = save_fn or _bound.get("save")
    if hook is None and not _objects:
        print(f"nsml.save: no save function is bound, checkpoint {name} is empty", file=sys.stderr)
    session = context.open_session()
    now = time.monotonic()
    kept = store(
        session.checkpoints,
        name,
        lambda path: _write_with(hook, path, _objects if save_fn else _extra.get("save", {})),
        elapsed=now - context.saved_at,
        summary=dict(latest_summary),
    )
    context.saved_at = time.monotonic()
    if (hook or _objects) and not kept.manifest["files"]:
        print(f"nsml.save: no file was written, checkpoint {name} is empty", file=sys.stderr)


def _refuse(name: str, source: str | None) -> None:
    """Say that a save before the checkpoint is loaded is not kept, and raise where the program can no longer load it."""
    other = f"checkpoint {source}" if source else "the checkpoint that --pause asks for"
    what = f"nsml.save: checkpoint {name} is not kept: this session goes on from {other}"
    if not _paused_lies_ahead():
        raise RunFailed(
            f"{what}, and nothing has loaded it; what was saved before stays. "
            "Call nsml.paused(scope=locals()) after nsml.bind where --pause is 1"
        )
    print(f"{what}, which nsml.paused has not loaded yet", file=sys.stderr, flush=True)


def _paused_lies_ahead() -> bool:
    """Whether a function that is running now, or the entry file itself, names `paused` after the place where it is."""
    frame = inspect.currentframe()
    while frame is not None:
        place = frame.f_lasti
        if any(step.argval == "paused" and step.offset > place for step in dis.get_instructions(frame.f_code)):
            return True
        frame = frame.f_back
    return False


def save_folder(checkpoint: Any, folder: str) -> None:
    """Keep a copy of `folder` as a checkpoint, which a bound `load` gets like any other."""

    def copy_in(path: str, **kwargs: Any) -> None:
        shutil.copytree(folder, path, dirs_exist_ok=True)

    save(checkpoint, save_fn=copy_in)


def _write_with(hook: Hook | None, path: Path, extra: dict[str, Any]) -> None:
    """Call a save hook with a folder; where it fails before it wrote anything, with the bare path, as programs of 2018 expect."""
    path.mkdir()
    if hook is None:
        save_objects(path, _objects)
        return
    extra = _taken(hook, extra)
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
        owner = _other_session(session)
    elif context.session is not None:
        owner = context.session
    else:
        owner = newest_session_with(name)
    load_from(owner, name, load_fn)


def _other_session(name: str) -> Session:
    context = current()
    try:
        return find_session(context.home, parse_session_name(name, context.user))
    except NsmlError as error:
        if ISOLATED not in os.environ:
            raise
        raise NsmlError(
            f"{error}; an isolated program can load from the newest sessions of its user, and from those whose number is in its "
            "arguments or in a .py file beside it"
        ) from None


def load_from(owner: Session, name: str | None, load_fn: Hook | None = None) -> Checkpoint:
    """Check the files of a checkpoint and hand them to a load hook, or put them back into the objects that are bound."""
    context = current()
    found = whole_checkpoint(owner.checkpoints, name, str(owner.name))
    hook = load_fn or _bound.get("load")
    own = owner.name.user == context.started_by and found.folder.stat().st_uid == os.geteuid()
    if hook is not None:
        with _pickles_of(owner, own):
            _read_with(hook, found, _objects if load_fn else _extra.get("load", {}))
    elif _objects and holds_objects(found.model):
        load_objects(found.model, _objects, own)
    else:
        raise NsmlError("nsml.load: no load function is bound; call nsml.bind(save=..., load=..., infer=...) first")
    context.note_loaded()
    return found


@contextlib.contextmanager
def _pickles_of(owner: Session, own: bool) -> Iterator[None]:
    """Let `torch.load` read the pickles in a user's own checkpoint, as it did when most programs were written, and say so once.

    Reading a pickle runs what it holds, so another user's stays refused, also where the hook of an own checkpoint loads it.
    """
    global _allows_pickles, _pickles_are_told
    before = _allows_pickles
    if own and not {_ALLOWS_PICKLES, _FORBIDS_PICKLES} & os.environ.keys():
        os.environ[_ALLOWS_PICKLES] = "1"
        _allows_pickles = True
    elif not own and before:
        del os.environ[_ALLOWS_PICKLES]
        _allows_pickles = False
    try:
        yield
    except pickle.UnpicklingError as error:
        if own:
            raise
        raise RunFailed(
            f"the checkpoint is {owner.name.user}'s and holds a pickle, which runs what its maker wrote; "
            f"only your own are read ({' '.join(str(error).split())[:80]})"
        ) from error
    finally:
        if _allows_pickles and not before:
            os.environ.pop(_ALLOWS_PICKLES, None)
            if "torch" in sys.modules and not _pickles_are_told:
                _pickles_are_told = True
                how = f"{_ALLOWS_PICKLES}=1 while a checkpoint of your own is loaded; {_FORBIDS_PICKLES}=1 forbids it"
                print(f"nsml.load: {how}", file=sys.stderr, flush=True)
        elif before:
            os.environ[_ALLOWS_PICKLES] = "1"
        _allows_pickles = before


def _taken(hook: Hook, extra: dict[str, Any]) -> dict[str, Any]:
    """Of these keywords, those that a hook takes beside the path, and that nobody has given it."""
    given = hook.keywords if isinstance(hook, partial) else {}
    try:
        path, *parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        return extra  # a function of C, which does not tell
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        named |= extra.keys()
    return {name: value for name, value in extra.items() if name in named - {path.name, *given}}


def _read_with(hook: Hook, found: Checkpoint, extra: dict[str, Any]) -> None:
    """Call a load hook with the folder that was saved; where it fails and that holds one file, with the file, as the platform did."""
    extra = _taken(hook, extra)
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

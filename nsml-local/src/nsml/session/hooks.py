"""`nsml.bind`, `nsml.save`, `nsml.load` and `nsml.infer`: register and call the competitor's functions."""

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
from ..wording import say
from .context import current
from .objects import holds_objects, load_objects, save_objects

Hook = Callable[..., Any]

_bound: dict[str, Hook] = {}
# Keywords of the bind call of each hook.
_extra: dict[str, dict[str, Any]] = {}
# Keywords of all bind calls; the last value of a name counts.
_objects: dict[str, Any] = {}
# PyTorch 2.6 and later load only pickles of tensors, unless this variable or the program allows others.
_ALLOWS_PICKLES, _FORBIDS_PICKLES = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_allows_pickles = _pickles_announced = False


def bind(
    save: Hook | None = None,
    load: Hook | None = None,
    infer: Hook | None = None,
    *more: Any,
    use_nsml_legacy: bool | None = None,
    **kwargs: Any,
) -> None:
    """Register the hooks of this program. In repeated calls, the last value that is not None counts.

    Args:
        save: `save(dir_path, **kwargs)` writes files to a folder.
        load: `load(dir_path, **kwargs)` reads them.
        infer: `infer(data, **kwargs)` returns the predictions in the order of `data`.
        more, use_nsml_legacy: accepted for old programs; no effect.
        kwargs: passed to the `save` and `load` of this call, and to `save_fn` and `load_fn`, if they accept them. Without a bound
            `save`, `nsml.save` saves these objects; without a bound `load`, `nsml.load` restores them: PyTorch modules and
            optimizers, Keras models and optimizers and TensorFlow sessions in their own formats, the rest by pickle.
    """
    _objects.update(kwargs)
    for name, hook in (("save", save), ("load", load), ("infer", infer)):
        if hook is None:
            continue
        if not callable(hook):
            raise TypeError(f"nsml.bind: {name} is a {type(hook).__name__}; give a function")
        _bound[name], _extra[name] = hook, kwargs


def save(checkpoint: Any = None, save_fn: Hook | None = None, *, iteration: Any = None) -> None:
    """Save a checkpoint of this session atomically. Saving a name again replaces it.

    Args:
        checkpoint: name, an int or a string; default: the current time, with `_2` where a checkpoint has that name already.
            `iteration` is the older name of this argument.
        save_fn: used instead of the bound `save`.

    Nothing is saved in a submit, nor before a forked or resumed session has loaded its checkpoint, as the network is untrained then.

    Raises:
        RunFailed: the session continues from a checkpoint, but the program has passed `nsml.paused` without loading it.
        Exception: any error of the hook; an earlier checkpoint of that name stays.
    """
    from .describing import note_versions
    from .reporting import latest_summary

    context = current()
    if context.only_looks:
        say("nsml.save: nothing is saved during a submit or a report", 2)
        return
    name = _name_of(checkpoint if checkpoint is not None else iteration)
    shown = "of the current time" if name is None else name
    if context.waits_for_a_checkpoint:
        _refuse(shown, context.checkpoint)
        return
    hook = save_fn or _bound.get("save")
    if hook is None and not _objects:
        say(f"nsml.save: no save function is bound, checkpoint {shown} is empty", 2)
    session = context.open_session()
    note_versions()
    now = time.monotonic()
    stored = store(
        session.checkpoints,
        name,
        lambda path: _write_with(hook, path, _objects if save_fn else _extra.get("save", {})),
        elapsed=now - context.saved_at,
        summary=dict(latest_summary),
    )
    context.saved_at = time.monotonic()
    if (hook or _objects) and not stored.manifest["files"]:
        say(f"nsml.save: no file was written, checkpoint {stored.name} is empty", 2)
    step = latest_summary.get("step")
    if context.until is not None and isinstance(step, int) and step >= context.until:
        print(f"nsml.save: paused at step {step} (--halve); checkpoint {stored.name} is where it goes on", flush=True)
        sys.stderr.flush()
        os._exit(0)  # without unwinding, as a bare `except` would go on with the training


def _refuse(name: str, source: str | None) -> None:
    """Print that a save before the checkpoint is loaded is skipped; RunFailed if the program can no longer load it."""
    other = f"checkpoint {source}" if source else "the checkpoint of --pause"
    what = f"nsml.save: checkpoint {name} is not saved: this session continues from {other}"
    if not _paused_lies_ahead():
        raise RunFailed(
            f"{what}, which the program has not loaded; earlier checkpoints stay. "
            "Call nsml.paused(scope=locals()) after nsml.bind if --pause is 1"
        )
    say(f"{what}, which nsml.paused has not yet loaded", 2)


def _paused_lies_ahead() -> bool:
    """Whether a function on the stack, or the entry file, mentions `paused` after its current instruction."""
    frame = inspect.currentframe()
    while frame is not None:
        place = frame.f_lasti
        if any(step.argval == "paused" and step.offset > place for step in dis.get_instructions(frame.f_code)):
            return True
        frame = frame.f_back
    return False


def save_folder(checkpoint: Any, folder: str) -> None:
    """Save a copy of `folder` as a checkpoint, for the bound `load`."""

    def copy_in(path: str, **kwargs: Any) -> None:
        shutil.copytree(folder, path, dirs_exist_ok=True)

    save(checkpoint, save_fn=copy_in)


def _write_with(hook: Hook | None, path: Path, extra: dict[str, Any]) -> None:
    """Call a save hook with a folder. If it fails before it writes anything, call it with a path that does not exist, as in 2018."""
    path.mkdir()
    if hook is None:
        save_objects(path, _objects)
        return
    extra = _accepted(hook, extra)
    try:
        hook(str(path), **extra)
    except Exception as error:
        if not path.is_dir() or any(os.scandir(path)):
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
    """Load a checkpoint with `load_fn`, else with the bound `load`.

    Args:
        checkpoint: name; None for the newest. `iteration` is the older name of this argument.
        session: the session of the checkpoint, `USER/DATASET/NUMBER`; None for this session.

    Raises:
        NsmlError: the session or checkpoint does not exist (the message lists existing ones), or its files have changed.
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
    """Verify a checkpoint and pass it to a load hook, or restore the bound objects from it."""
    context = current()
    checkpoint = whole_checkpoint(owner.checkpoints, name, str(owner.name))
    hook = load_fn or _bound.get("load")
    own = owner.name.user == context.started_by and checkpoint.folder.stat().st_uid == os.geteuid()
    if hook is not None:
        with _pickles_of(owner, own):
            _read_with(hook, checkpoint, _objects if load_fn else _extra.get("load", {}))
    elif _objects and holds_objects(checkpoint.model):
        load_objects(checkpoint.model, _objects, own)
    else:
        raise NsmlError("nsml.load: no load function is bound; call nsml.bind(save=..., load=..., infer=...) first")
    context.note_loaded()
    return checkpoint


@contextlib.contextmanager
def _pickles_of(owner: Session, own: bool) -> Iterator[None]:
    """Allow `torch.load` to load the pickles in a user's own checkpoint, as older PyTorch did, and print so once.

    Loading a pickle runs code in it, so pickles of other users are refused, also if the hook of the user's own checkpoint loads them.
    """
    global _allows_pickles, _pickles_announced
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
            f"the checkpoint is {owner.name.user}'s and contains a pickle, which can run any code; "
            f"only your own pickles are loaded ({' '.join(str(error).split())[:80]})"
        ) from error
    finally:
        if _allows_pickles and not before:
            os.environ.pop(_ALLOWS_PICKLES, None)
            if "torch" in sys.modules and not _pickles_announced:
                _pickles_announced = True
                how = (
                    f"{_ALLOWS_PICKLES}=1 is set while your own checkpoint is loaded; {_FORBIDS_PICKLES}=1 prevents it"
                )
                say(f"nsml.load: {how}", 2)
        elif before:
            os.environ[_ALLOWS_PICKLES] = "1"
        _allows_pickles = before


def _accepted(hook: Hook, extra: dict[str, Any]) -> dict[str, Any]:
    """The keywords that a hook accepts besides the path, without those of a partial."""
    given = hook.keywords if isinstance(hook, partial) else {}
    try:
        path, *parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        return extra  # a C function without a signature
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        named |= extra.keys()
    return {name: value for name, value in extra.items() if name in named - {path.name, *given}}


def _read_with(hook: Hook, checkpoint: Checkpoint, extra: dict[str, Any]) -> None:
    """Call a load hook with the saved folder. If it fails and the folder has one file, call it with the file, as the platform did."""
    extra = _accepted(hook, extra)
    try:
        hook(str(checkpoint.model), **extra)
    except Exception as error:
        files = [entry for entry in os.scandir(checkpoint.model)] if checkpoint.model.is_dir() else []
        if len(files) != 1 or not files[0].is_file():
            raise
        try:
            hook(files[0].path, **extra)
        except Exception:
            raise error from None


def newest_session_with(name: str | None) -> Session:
    """The session of this user and dataset with the newest checkpoint (of that name, if given)."""
    context = current()
    best: tuple[float, Session] | None = None
    for session in list_sessions(context.home, context.user, context.dataset or "none"):
        for checkpoint in list_checkpoints(session.checkpoints):
            if not isinstance(checkpoint, Checkpoint) or name not in (None, checkpoint.name):
                continue
            if best is None or checkpoint.saved_at > best[0]:
                best = (checkpoint.saved_at, session)
    if best is None:
        what = "a checkpoint" if name is None else f"a checkpoint {name!r}"
        raise NsmlError(
            f"no session of {context.user} on {context.dataset or 'no dataset'} has {what}; "
            "'nsml ps -a' lists the sessions, 'nsml model ls SESSION' the checkpoints"
        )
    return best[1]


def infer(*data: Any, **kwargs: Any) -> Any:
    """Call the bound `infer` and return its result."""
    hook = _bound.get("infer")
    if hook is None:
        raise NsmlError("nsml.infer: no infer function is bound; call nsml.bind(save=..., load=..., infer=...) first")
    return hook(*data, **kwargs)


def bound(name: str) -> Hook | None:
    """The bound hook "save", "load" or "infer", or None."""
    return _bound.get(name)


def _name_of(checkpoint: Any) -> str | None:
    return None if checkpoint is None else str(checkpoint)

"""Actions on sessions: the functions behind `nsml stop`, `resume`, `fork`, `rm`, `submit` and `memo`, with dialogs."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from nicegui import ui

from ..engine.ending import end_and_remove, stop_session
from ..engine.family import end_strays
from ..engine.launch import fork_session, resume_session
from ..engine.words import split_arguments
from ..errors import NsmlError
from ..scoring.guessing import beats
from ..scoring.submit import Outcome, submit
from ..store.checkpoints import checkpoint_names
from ..store.sessions import ENDED
from ..wording import plain, score
from .frame import heading, quiet_button, show_error
from .live import in_own_thread, stop_if_ending
from .site import Site, session_address
from .texts import Texts

T = TypeVar("T")
_LIMIT = 3600.0


class Actions:
    """The actions. Each takes names of sessions, asks for confirmation where needed, and shows the result."""

    def __init__(self, site: Site, t: Texts) -> None:
        self._site = site
        self._t = t

    async def stop(self, names: list[str]) -> None:
        """Stop sessions after a confirmation."""
        if not await _confirm(self._t, self._t("Stop {names}?", names=", ".join(names)), self._t("Stop")):
            return
        for name in names:
            if await _try(partial(self._stop, name)):
                ui.notify(self._t("Session {name} is stopped", name=name))

    def _stop(self, name: str) -> bool:
        session = self._site.session(name)
        if session.status() not in ENDED:
            stop_session(session)
        else:
            end_strays(self._site.home, session)
        return True

    async def resume(self, names: list[str]) -> None:
        """Restart ended sessions from their newest checkpoints."""
        for name in names:
            checkpoint = await _try(partial(self._resume, name))
            if checkpoint is not None:
                ui.notify(
                    self._t(
                        "Session {name} is resumed from checkpoint {checkpoint}",
                        name=name,
                        checkpoint=plain(checkpoint),
                    )
                )

    def _resume(self, name: str) -> str:
        return resume_session(self._site.home, self._site.session(name))

    async def remove(self, names: list[str], then: Callable[[], None] | None = None) -> None:
        """Remove ended sessions after a confirmation, then call `then`."""
        question = self._t(
            "Remove {names}? This deletes checkpoints and logs; scores stay on the leaderboard.", names=", ".join(names)
        )
        if not await _confirm(self._t, question, self._t("Remove")):
            return
        removed = [name for name in names if await _try(partial(self._remove, name))]
        for name in removed:
            ui.notify(self._t("Session {name} is removed", name=name))
        if removed and then is not None:
            then()

    def _remove(self, name: str) -> bool:
        end_and_remove(self._site.home, self._site.session(name))
        return True

    async def fork(self, name: str) -> None:
        """Start a session from a checkpoint of another; a dialog asks for checkpoint and arguments."""
        t = self._t
        choices = await _try(lambda: self._choices(name))
        if choices is None:
            return
        arguments, checkpoints = choices
        with _dialog() as dialog, ui.card().classes("w-full max-w-lg"):
            heading(t("Fork {name}", name=name), 2)
            select = ui.select(
                {"": t("newest"), **{c: plain(c) for c in checkpoints}}, value="", label=t("Checkpoint")
            ).classes("w-full")
            words = ui.input(t("Arguments"), value=arguments).classes("w-full")
            _buttons(t, dialog, t("Fork"))
        if not await dialog:
            return
        started = await _try(
            lambda: fork_session(
                self._site.home,
                self._site.session(name),
                select.value or None,
                arguments=split_arguments(str(words.value or "")),
            )
        )
        if started is not None:
            ui.notify(t("Session {name} is started", name=started.name))
            ui.navigate.to(session_address(started.name))

    def _choices(self, name: str) -> tuple[str, list[str]]:
        """Arguments and checkpoints of a session."""
        session = self._site.session(name)
        return shlex.join(map(str, session.record()["arguments"])), checkpoint_names(session.checkpoints)

    async def submit(self, name: str) -> None:
        """Submit a checkpoint; the dialog asks for it and shows the progress and the score."""
        t = self._t
        choices = await _try(lambda: self._choices(name))
        if choices is None:
            return
        checkpoints = choices[1]
        if not checkpoints:
            show_error(t("This session has no checkpoint"))
            return
        with _dialog() as dialog, ui.card().classes("w-full max-w-lg"):
            heading(t("Submit {name}", name=name), 2)
            value = "best" if "best" in checkpoints else checkpoints[-1]
            select = ui.select({c: plain(c) for c in checkpoints}, value=value, label=t("Checkpoint")).classes("w-full")
            status = ui.label().props("role=status").classes("w-full break-words whitespace-pre-line")
            bar = ui.linear_progress(0, show_value=False).props(f'aria-label="{t("Submit")}"')
            bar.set_visibility(False)
            with ui.row().classes("w-full justify-end"):
                quiet_button(t("Close"), on_click=dialog.close)
                button = ui.button(t("Submit")).props("no-caps")
        steps: list[dict[str, Any]] = []

        def show() -> None:
            if steps:
                text, share = _progress(t, steps[-1])
                status.set_text(text)
                bar.set_value(share)

        async def go() -> None:
            button.disable()
            bar.set_visibility(True)
            timer = ui.timer(0.3, show)
            outcome = await _try(
                lambda: self._submit(name, str(select.value), steps.append), lambda why: status.set_text(t.reason(why))
            )
            timer.cancel()
            bar.set_visibility(False)
            button.enable()
            if outcome is not None and outcome.score is not None:
                status.set_text(_scored(t, outcome, outcome.score))
                for warning in outcome.warnings:
                    ui.notify(plain(warning), type="warning")

        button.on_click(go)
        dialog.open()

    def _submit(self, name: str, checkpoint: str, on_step: Callable[[dict[str, Any]], None]) -> Outcome:
        def step(progress: dict[str, Any]) -> None:
            stop_if_ending()
            on_step(progress)

        session = self._site.session(name)
        return submit(
            self._site.home, session, checkpoint, dry_run=False, limit=_LIMIT, on_step=step, on_output=stop_if_ending
        )

    async def memo(self, name: str, text: str) -> None:
        """Set the memo of a session."""
        if await _try(lambda: self._memo(name, text)):
            ui.notify(self._t("Memo saved"))

    def _memo(self, name: str, text: str) -> bool:
        self._site.session(name).write_memo(text)
        return True


def _progress(t: Texts, step: dict[str, Any]) -> tuple[str, float]:
    match step:
        case {"step": "environment", "says": line}:
            return plain(t.reason(str(line))), 0.0
        case {"step": "infer", "done": done, "total": total}:
            return t("photograph {done} of {total}", done=done, total=total), done / max(total, 1)
        case {"step": "infer"} | {"step": "load"}:
            return t("loading the checkpoint"), 0.0
        case {"step": "score"} | {"step": "done"}:
            return t("scoring"), 1.0
    return t("starting the program"), 0.0


def _scored(t: Texts, outcome: Outcome, value: float) -> str:
    parts = [t("Score: {score}", score=score(value))]
    if (constant := outcome.constant) is not None:
        parts.append(t("The same answer for every photograph reaches at best {score}.", score=score(constant)))
        if not beats(value, constant, outcome.lower_is_better):
            parts.append(t("Not better than the same answer for every photograph."))
    if outcome.left:
        parts.append(t.reason(outcome.left))
    return "\n".join(parts)


async def _try(work: Callable[[], T], on_error: Callable[[str], object] = show_error) -> T | None:
    """The result of `work`, run in a thread; None after an error, which goes to `on_error`."""
    try:
        return await in_own_thread(work)
    except (NsmlError, OSError) as error:
        on_error(str(error))
        return None


def _dialog() -> ui.dialog:
    return ui.dialog().props("persistent")


def _buttons(t: Texts, dialog: ui.dialog, verb: str) -> None:
    with ui.row().classes("w-full justify-end"):
        quiet_button(t("Cancel"), on_click=lambda: dialog.submit(False))
        ui.button(verb, on_click=lambda: dialog.submit(True)).props("no-caps")


async def _confirm(t: Texts, question: str, verb: str) -> bool:
    with _dialog() as dialog, ui.card().classes("w-full max-w-lg"):
        ui.label(plain(question)).classes("break-words")
        _buttons(t, dialog, verb)
    return bool(await dialog)

"""Expressions over the variables of a running session, as `nsml exec` evaluates them."""

from __future__ import annotations

from nicegui import ui

from ..errors import NsmlError
from ..session.answering import ask, is_listening
from ..store.sessions import ENDED, Session
from ..wording import plain
from .frame import quiet_button
from .live import in_thread
from .texts import Texts

_MOST = 200


def terminal_view(session: Session, t: Texts) -> None:
    """A field for an expression; below it what was asked and answered, the newest first."""
    asked = ui.input(t("An expression over the variables last given to nsml.report(scope=locals())"))
    asked.props("dense outlined autocapitalize=off autocomplete=off spellcheck=false").classes("w-full max-w-2xl")
    answers = ui.column().classes("w-full gap-1").props("role=log")

    async def evaluate() -> None:
        expression = str(asked.value or "").strip()
        if not expression:
            return
        try:
            answer = await in_thread(lambda: _ask(session, expression, t))
        except NsmlError as error:
            answer = str(error)
        with answers:
            entry = ui.column().classes("w-full gap-0")
            with entry:
                ui.label(f">>> {plain(expression)}").classes("mono font-bold")
                ui.label("\n".join(plain(line) for line in str(answer).split("\n"))).classes("mono")
        entry.move(target_index=0)
        children = answers.default_slot.children
        while len(children) > _MOST:
            answers.remove(children[-1])

    asked.on("keydown.enter", evaluate)
    quiet_button(t("Evaluate"), on_click=evaluate)


def _ask(session: Session, expression: str, t: Texts) -> str:
    if session.status() in ENDED:
        return t("Only a running session can be asked")
    if not is_listening(session):
        return t("The program must call nsml.report(scope=locals(), ...)")
    return ask(session, expression)

"""Evaluates expressions in a running session, as `nsml exec` does."""

from __future__ import annotations

from nicegui import ui

from ..engine.slurm import exec_on_node
from ..errors import NsmlError
from ..session.answering import ask, is_listening
from ..store.jobs import ask_slurm, submitted
from ..store.sessions import ENDED, Session
from ..wording import plain, printable
from .frame import quiet_button
from .live import in_own_thread
from .texts import Texts

_MAX_ANSWERS = 200
_MAX_LETTERS = 20_000  # of an answer


def terminal_view(session: Session, t: Texts) -> None:
    """An input field with the expressions and their results below, newest first."""
    field = ui.input(t("An expression with the variables of the last nsml.report(scope=locals())"))
    field.props("dense outlined autocapitalize=off autocomplete=off spellcheck=false").classes("w-full max-w-2xl")
    answers = ui.column().classes("w-full gap-1").props("role=log")

    async def evaluate() -> None:
        expression = str(field.value or "").strip()
        if not expression:
            return
        try:
            answer = await in_own_thread(lambda: _ask(session, expression, t))
        except NsmlError as error:
            answer = str(error)
        if len(answer) > _MAX_LETTERS:
            answer = f"{answer[:_MAX_LETTERS]}… ({len(answer) - _MAX_LETTERS:,})"
        with answers:
            entry = ui.column().classes("w-full gap-0")
            with entry:
                ui.label(f">>> {plain(expression)}").classes("mono font-bold")
                ui.label(printable(answer)).classes("mono")
        entry.move(target_index=0)
        children = answers.default_slot.children
        while len(children) > _MAX_ANSWERS:
            answers.remove(children[-1])

    field.on("keydown.enter", evaluate)
    quiet_button(t("Evaluate"), on_click=evaluate)


def _ask(session: Session, expression: str, t: Texts) -> str:
    if session.status() in ENDED:
        return t("Expressions need a running session")
    if session.state().get("on") and submitted(session.folder):
        return ask_slurm(*exec_on_node(session, expression)).strip()
    if not is_listening(session):
        return t("No variables yet; call nsml.report(scope=locals(), ...) in the program")
    return ask(session, expression)

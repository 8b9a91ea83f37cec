"""The words of a line of arguments."""

from __future__ import annotations

import shlex

from ..errors import NsmlError
from ..store.sessions import Session


def split_arguments(text: str) -> list[str]:
    """The words of -a, as a shell would split them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise NsmlError(f"-a {text!r}: {str(error).lower()}; close the quotation") from None


def run_words(session: Session) -> list[str]:
    """The words of the command that starts such a session again."""
    record = session.record()
    words = ["nsml", "run", "-d", session.name.dataset, "-e", record["entry"]]
    if record["arguments"]:
        words += ["-a", shlex.join(map(str, record["arguments"]))]
    return words

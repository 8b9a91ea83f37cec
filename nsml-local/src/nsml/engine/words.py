"""The words of a line of arguments."""

from __future__ import annotations

import shlex

from ..errors import NsmlError


def split_arguments(text: str) -> list[str]:
    """The words of -a, as a shell would split them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise NsmlError(f"-a {text!r}: {str(error).lower()}; close the quotation") from None

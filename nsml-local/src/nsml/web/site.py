"""Shared by all pages: the home, and the addresses."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from ..store.home import Home
from ..store.names import SessionName, parse_session_name
from ..store.sessions import Session, find_session


@dataclass(frozen=True)
class Site:
    """The home, and whether actions are disabled."""

    home: Home
    read_only: bool

    def session(self, text: str) -> Session:
        """The session of that name. Raises NsmlError if there is none."""
        return find_session(self.home, parse_session_name(text, self.home.user()))


def dataset_address(name: str, tab: str = "") -> str:
    """Address of a dataset's page."""
    return f"/dataset/{quote(name, errors='replace')}{f'?tab={tab}' if tab else ''}"


def session_address(name: SessionName | str) -> str:
    """Address of a session's page."""
    return f"/session/{quote(str(name), errors='replace')}"


def sweep_address(name: str) -> str:
    """Address of a sweep, USER/DATASET/sweep-N."""
    return f"/sweep/{quote(name, errors='replace')}"


def graph_address(names: list[str]) -> str:
    """Address of the graphs of several sessions."""
    return f"/graph?{urlencode({'session': names}, doseq=True)}"


def diff_address(first: str, second: str) -> str:
    """Address of the comparison of two sessions."""
    return f"/diff?{urlencode({'first': first, 'second': second})}"

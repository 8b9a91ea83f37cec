"""Where everything is kept, and whose name new sessions carry."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import Damaged, NsmlError
from .files import make_private, read_json, write_json
from .names import check_name

FORMAT = 1


def default_home() -> Path:
    """NSML_HOME, else the platform's folder for a user's data."""
    if named := os.environ.get("NSML_HOME"):
        return Path(named).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "nsml"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "nsml"


@dataclass(frozen=True)
class Home:
    """The folder that holds everything: `datasets/`, `sessions/`, `submissions/`, `output/`."""

    path: Path

    @property
    def marker(self) -> Path:
        """The file that says which format the home is of."""
        return self.path / "home.json"

    @property
    def datasets(self) -> Path:
        return self.path / "datasets"

    @property
    def sessions(self) -> Path:
        return self.path / "sessions"

    @property
    def submissions(self) -> Path:
        return self.path / "submissions"

    @property
    def output(self) -> Path:
        return self.path / "output"

    def user(self) -> str:
        """The user's name: NSML_USER, else the one given to `nsml login`, else the system's."""
        if named := os.environ.get("NSML_USER"):
            return check_name(named, "user (NSML_USER)")
        try:
            stored = read_json(self.path / "user.json").get("name")
        except FileNotFoundError:
            stored = None
        except Damaged as error:
            raise Damaged(f"{str(error).partition(';')[0]}; 'nsml login NAME' writes it anew") from None
        if isinstance(stored, str):
            return check_name(stored, f"user in {self.path / 'user.json'}")
        import getpass

        try:
            system = getpass.getuser()
        except (OSError, KeyError, ImportError):
            system = "user"
        return re.sub(r"[^\w.-]", "_", system).lstrip(".-")[:64] or "user"


def open_home(path: Path | None = None) -> Home:
    """The home at `path` (else the default one), made where it is missing.

    A home of a newer format is refused, untouched. One whose `home.json` is damaged is used, with a warning, as of this format.
    """
    home = Home(path or default_home())
    try:
        found = read_json(home.marker).get("format")
    except FileNotFoundError:
        make_private(home.path)
        write_marker(home)
        found = FORMAT
    except Damaged:
        if not home.marker.is_file():  # the folder itself cannot be read
            raise
        print(f"nsml: warning: {home.marker} is damaged; 'nsml doctor --repair' writes it anew", file=sys.stderr)
        found = FORMAT
    if not isinstance(found, int) or found > FORMAT:
        raise NsmlError(
            f"{home.path} is of format {found}, newer than this nsml-local knows ({FORMAT}); "
            "update nsml-local, or name another folder with NSML_HOME"
        )
    return home


def write_marker(home: Home) -> None:
    """Say which format the home is of."""
    write_json(home.marker, {"format": FORMAT})

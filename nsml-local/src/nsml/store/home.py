"""The home folder, which holds everything, and the name of the user."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import FORBIDDEN, FULL, Damaged, NsmlError
from .files import make_private, read_json, write_json
from .names import check_name

FORMAT = 1


def default_home() -> Path:
    """NSML_HOME, else the operating system's folder for a user's data."""
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
        """The file with the format version of the home."""
        return self.path / "home.json"

    @property
    def datasets(self) -> Path:
        return self.path / "datasets"

    @property
    def sessions(self) -> Path:
        return self.path / "sessions"

    @property
    def queue(self) -> Path:
        """That of this host. It lies beside the sessions, so that homes that share these share it too."""
        return self.sessions / ".queue" / socket.gethostname()

    @property
    def submissions(self) -> Path:
        return self.path / "submissions"

    @property
    def ledgers(self) -> Path:
        """Those of referees, a file for each dataset."""
        return self.path / "ledgers"

    @property
    def damaged(self) -> Path:
        """What 'nsml doctor --repair' has put aside."""
        return self.path / "damaged"

    @property
    def output(self) -> Path:
        return self.path / "output"

    def user(self) -> str:
        """The user's name: NSML_USER, else the name of `nsml login`, else the system's user name."""
        if named := os.environ.get("NSML_USER"):
            return check_name(named, "user (NSML_USER)")
        try:
            stored = read_json(self.path / "user.json").get("name")
        except FileNotFoundError:
            stored = None
        except Damaged as error:
            raise Damaged(f"{str(error).partition(';')[0]}; 'nsml login NAME' rewrites it") from None
        if isinstance(stored, str):
            return check_name(stored, f"user in {self.path / 'user.json'}")
        import getpass

        try:
            system = getpass.getuser()
        except (OSError, KeyError, ImportError):
            system = "user"
        return re.sub(r"[^\w.-]", "_", system).lstrip(".-")[:64] or "user"


def open_home(path: Path | None = None) -> Home:
    """The home at `path` (default: `default_home()`), created if missing.

    One that cannot be there, or is of a newer format, is an NsmlError. A damaged `home.json` is a warning; the home is used as one of
    this format.
    """
    home = Home(path or default_home())
    try:
        version = read_json(home.marker).get("format")
    except FileNotFoundError:
        try:
            make_private(home.path)
            write_marker(home)
        except OSError as error:
            _check_place(home.path)
            if error.errno in (*FULL, *FORBIDDEN):
                raise
            raise NsmlError(f"NSML_HOME: {home.path} cannot be made ({error.strerror}); name another folder") from None
        version = FORMAT
    except Damaged:
        _check_place(home.path)
        if not home.marker.is_file():  # the folder itself cannot be read
            raise
        print(f"nsml: warning: {home.marker} is damaged; 'nsml doctor --repair' rewrites it", file=sys.stderr)
        version = FORMAT
    if not isinstance(version, int) or version > FORMAT:
        raise NsmlError(
            f"{home.path} has format {version}, newer than this nsml-local can read ({FORMAT}); "
            "update nsml-local, or name another folder with NSML_HOME"
        )
    return home


def _check_place(path: Path) -> None:
    """NsmlError where no folder can be at `path`, since something else is there or above."""
    for part in (path, *path.parents):
        try:
            if stat.S_ISDIR(os.stat(part).st_mode):
                return
            raise NsmlError(f"NSML_HOME: {part} is a file; name a folder")
        except OSError as error:
            if os.path.islink(part) and error.errno not in FORBIDDEN:
                raise NsmlError(f"NSML_HOME: {part} is a link that leads nowhere; name a folder") from None
            if error.errno == errno.ENAMETOOLONG:
                raise NsmlError("NSML_HOME: its name is too long; name another folder") from None


def write_marker(home: Home) -> None:
    """Write the format version of the home."""
    write_json(home.marker, {"format": FORMAT})

"""What a session was made from, for a paper or a thesis: the commit of its folder, and its data."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..store.datasets import Dataset
from ..store.files import walk

_PATIENCE = 10  # seconds for git


def origin_of(folder: Path, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Facts for session.json.

    `commit` and `clean`, whether the folder was as in that commit, where it belongs to a git repository; `data`, the digest of each
    dataset, by name.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--", ".") if commit else None
    facts: dict[str, Any] = {} if changed is None else {"commit": commit, "clean": not changed}
    return facts | {"data": {dataset.name: digest(dataset) for dataset in datasets}}


def digest(dataset: Dataset) -> str:
    """A hash of the paths and sizes of the training files: twelve hexadecimal digits. Contents are not read, which may take minutes."""
    lines = []
    for root, _, names in walk(dataset.training):
        for name in names:
            path = os.path.join(root, name)
            try:
                lines.append(f"{os.path.relpath(path, dataset.training)} {os.stat(path).st_size}")
            except OSError:
                lines.append(f"{os.path.relpath(path, dataset.training)} missing")
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None if it fails, as where there is no repository, or no git."""
    # Without the lock that `git status` takes to store what it has looked up: somebody may be at work there.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        ended = subprocess.run(
            ["git", "-C", str(folder), *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return ended.stdout.strip()

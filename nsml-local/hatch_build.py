"""What a build adds to pyproject.toml and src.

The registry's page: the repository's address, NSML_REPOSITORY or else git's remote `origin`, and the README with links that work there.
Without an address there are no URLs, and the README names files in place of links.

The fundus template, which stands above this folder, for `nsml new --from fundus`.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

TEMPLATE = ("main.py", "ensemble.py", "setup.py", ".nsmlignore", "dataprep", "model", "evidence")


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Adds the template to the source archive, as `template`, and to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling. An editable installation reads the template where it stands."""
        root = Path(self.root)
        source = root / "template" if (root / "template").is_dir() else root.parent
        target = "template" if self.target_name == "sdist" else "nsml/examples/fundus"
        if version != "editable":
            build_data["force_include"] |= {str(source / each): f"{target}/{each}" for each in TEMPLATE}


class CustomMetadataHook(MetadataHookInterface):  # type: ignore[misc]
    """Adds `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling."""
        repository = address(Path(self.root))
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        target = rf"\1({repository}/blob/main/\2)" if repository else r"`\2` of the repository"
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": re.sub(r"(\[[^]]*\])\s?\(\.\./([^)]+)\)", target, text),
        }
        if repository:
            metadata["urls"] = {
                "Source": repository,
                "Documentation": f"{repository}/blob/main/docs/README.md",
                "Issues": f"{repository}/issues",
                "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            }


def address(folder: Path) -> str:
    """The repository's address for a browser, or ""."""
    url = os.environ.get("NSML_REPOSITORY", "")
    if not url:
        command = ["git", "-C", str(folder), "remote", "get-url", "origin"]
        try:
            url = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:  # no git
            return ""
    url = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", url)
    # Never a name or token that is part of the address.
    url = re.sub(r"^https://[^/@]*@", "https://", url)
    return url.removesuffix("/").removesuffix(".git") if url.startswith("https://") else ""

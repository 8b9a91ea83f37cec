"""`--mode report`: write the report of the loaded checkpoint to the folder that the platform names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from .requirements import ReportError

if TYPE_CHECKING:
    from model.ensemble import Ensemble
    from model.network import Network


def report_checkpoint(
    checkpoint: Network | Ensemble | None,
    photographs: Path,
    name: str,
    out: Path | None,
    classes: Sequence[str] | None = None,
) -> None:
    """Write the report of a checkpoint, and print its path.

    Args:
        checkpoint: None if none is loaded.
        photographs: see `write_report`.
        name: of the checkpoint; "0", the default of `--iteration`, is the newest.
        out: the folder of the report; by default one below the platform's output folder.
        classes: only these of the checkpoint's, see `write_report`.

    Raises:
        ReportError: no checkpoint is loaded; or as in `write_report`.
    """
    import nsml
    from model.ensemble import Ensemble

    from .write import write_report

    if checkpoint is None:
        raise ReportError(
            "no checkpoint was loaded; name one with --iteration, and give --pause 1 on platforms that need it"
        )
    if name == "0":
        name = "newest" if isinstance(checkpoint, Ensemble) else f"epoch {checkpoint.settings.epoch}"
    output = getattr(nsml, "NSML_NFS_OUTPUT", "")
    folder = os.environ.get("NSML_REPORT")  # set by `nsml report`
    reports = Path(output or ".") / "reports" / quote(f"{nsml.DATASET_NAME}-{name}", safe=" ")
    title = f"{nsml.SESSION_NAME if folder else nsml.DATASET_NAME}, checkpoint {name}"
    page = write_report(checkpoint, photographs, out or Path(folder or reports), title, classes)
    if not folder:  # `nsml report` moves the page, and prints its path
        print(f"report: {page}", flush=True)

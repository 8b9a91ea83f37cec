"""The report that a program is asked for by `--mode report`: of the checkpoint it has loaded, where the platform wants it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from .requirements import ReportError

if TYPE_CHECKING:
    from model.ensemble import Ensemble
    from model.network import Network


def report_checkpoint(kept: Network | Ensemble | None, photographs: Path, name: str, out: Path | None) -> None:
    """Write the report of what was loaded, and say where.

    Args:
        kept: None where nothing was.
        photographs: see `write_report`.
        name: of the checkpoint; "0", that of `--iteration` where none is given, is the newest.
        out: the folder of the report, in place of one below the platform's output folder.

    Raises:
        ReportError: nothing was loaded; or as from `write_report`.
    """
    import nsml
    from model.ensemble import Ensemble

    from .write import write_report

    if kept is None:
        raise ReportError(
            "no checkpoint was loaded; name one with --iteration, and give --pause 1 where that is needed"
        )
    if name == "0":
        name = "newest" if isinstance(kept, Ensemble) else f"epoch {kept.settings.epoch}"
    outlives = getattr(nsml, "NSML_NFS_OUTPUT", "")
    told = os.environ.get("NSML_REPORT")  # by `nsml report`
    reports = Path(outlives or ".") / "reports" / quote(f"{nsml.DATASET_NAME}-{name}", safe=" ")
    title = f"{nsml.SESSION_NAME if told else nsml.DATASET_NAME}, checkpoint {name}"
    page = write_report(kept, photographs, out or Path(told or reports), title)
    if not told:  # else the command moves the page, and says where
        print(f"report: {page}", flush=True)

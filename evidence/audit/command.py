"""The command `audit`: a short table, and a page with pictures in a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from model.run.arguments import add_photographs


def add_parser(commands: Any) -> None:
    """Add `audit` to the commands of a parser."""
    audit = commands.add_parser(
        "audit",
        help="counts, copies, patients, and how well classes are predicted without seeing a lesion",
        description="Is the dataset honest? A short table, and a page with pictures. Nothing is changed. Hidden labels are not read.",
        allow_abbrev=False,
    )
    audit.add_argument("path", type=Path, metavar="PATH", help="the dataset's root, or its train/train_data")
    audit.add_argument(
        "--test", type=Path, metavar="PATH", help="test photographs (default: the dataset's test/test_data)"
    )
    audit.add_argument(
        "--out", type=Path, default=Path("audit"), metavar="DIR", help="folder of audit.html (default: ./audit)"
    )
    add_photographs(audit)
    audit.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    audit.set_defaults(run=run, parser=audit)


def run(args: argparse.Namespace) -> None:
    """Audit, print the table, and write the page."""
    from model.console import Progress

    from .findings import audit
    from .page import NAME, write_page
    from .table import table

    progress = Progress("reading photographs", sys.stderr)
    result = audit(args.path, args.test, args.classes, progress, args.patient_pattern)
    print(table(result), flush=True)
    replaces = ", in place of an earlier one" if (args.out / NAME).exists() else ""
    print(f"\npage with pictures{replaces}: {write_page(result, args.out)}", flush=True)

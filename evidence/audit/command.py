"""The command `audit`: a short table, and a page with pictures in a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


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
    audit.add_argument(
        "--classes", type=_names, metavar="A,B", help="only these classes, such as NORMAL,AMD (default: all)"
    )
    audit.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    audit.set_defaults(run=run)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(
            f"{text!r}: give two or more different classes, separated by commas, such as NORMAL,AMD"
        )
    return names


def run(args: argparse.Namespace) -> None:
    """Audit, print the table, and write the page."""
    from model.console import Progress

    from .findings import audit
    from .page import write_page
    from .table import table

    result = audit(args.path, args.test, args.classes, Progress("reading photographs", sys.stderr))
    print(table(result), flush=True)
    print(f"\npage with pictures: {write_page(result, args.out)}", flush=True)

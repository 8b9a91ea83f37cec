"""python -m dataprep audit PATH: is the dataset honest? A short table here, and a page with pictures in a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help explains the arguments\n")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r}: give two classes or more with commas between, as NORMAL,AMD")
    return names


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = _Parser(
        prog="python -m dataprep", description="Look at photographs before anything is trained.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="audit", required=True)
    audit = commands.add_parser(
        "audit",
        help="counts, copies, patients, and what is told without lesions",
        description="Is the dataset honest? A short table, and a page with pictures. Nothing is changed. Hidden labels are not read.",
        allow_abbrev=False,
    )
    audit.add_argument("path", type=Path, metavar="PATH", help="the dataset's root, or its train/train_data")
    audit.add_argument(
        "--test", type=Path, metavar="PATH", help="test photographs (default: the dataset's test/test_data)"
    )
    audit.add_argument(
        "--out", type=Path, default=Path("audit"), metavar="DIR", help="where audit.html is written (default: ./audit)"
    )
    audit.add_argument("--classes", type=_names, metavar="A,B", help="only these classes, as NORMAL,AMD (default: all)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, whatever was found; 1 failed; 2 wrong use."""
    args = parse(arguments)
    from dataprep.audit.findings import audit
    from dataprep.audit.page import write_page
    from dataprep.audit.progress import Progress
    from dataprep.audit.table import table
    from dataprep.catalog import CatalogError
    from dataprep.closed_output import say_no_more

    try:
        found = audit(args.path, args.test, args.classes, Progress("reading photographs"))
        print(table(found), flush=True)
        print(f"\npage with pictures: {write_page(found, args.out)}", flush=True)
    except CatalogError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        say_no_more()
        return 1
    except OSError as error:
        print(f"audit: {error.filename or args.out}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("audit: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

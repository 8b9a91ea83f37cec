"""The commands of evidence.

python -m evidence audit PATH           is the dataset honest?
python -m evidence ablate --data PATH   what is each ingredient of the recipe worth?
python -m evidence leak --data PATH     what does a split of the files at random hide?
"""

from __future__ import annotations

import argparse
import sys

from model.console import exit_status
from model.run.arguments import EntryParser

from .ablation.command import add_parsers
from .audit.command import add_parser


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse and check the command line, before TensorFlow is imported."""
    parser = EntryParser(
        prog="python -m evidence",
        description="Is the dataset honest, and what is the recipe worth?",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="audit|ablate|leak", required=True)
    add_parser(commands)
    add_parsers(commands)
    args, unknown = parser.parse_known_args(arguments)
    if unknown:  # said by the command's parser, which knows whether there is --set
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return args


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 wrong use."""
    args = parse(arguments)
    return exit_status(
        args.command, args.run, args, "" if args.command == "audit" else "; repeat the command to continue"
    )


if __name__ == "__main__":
    sys.exit(main())

"""The commands of evidence.

python -m evidence audit PATH           is the dataset honest?
python -m evidence ablate --data PATH   what is each ingredient of the recipe worth?
python -m evidence leak --data PATH     what does a split of the files at random hide?
"""

from __future__ import annotations

import argparse
import os
import sys

from model.console import one_line, silence_stdout
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
    advice = "" if args.command == "audit" else "; repeat the command to continue"
    try:
        args.run(args)
    except KeyboardInterrupt:
        print(f"{args.command}: stopped{advice}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        silence_stdout()
        if advice:  # runs are missing; of an audit, the reader has seen enough
            print(f"{args.command}: stopped, as the program that read its output has ended{advice}", file=sys.stderr)
        return 1
    except Exception as error:
        if args.debug or os.environ.get("NSML_DEBUG") == "1":
            raise
        reason = getattr(error, "strerror", None)
        message = f"{getattr(error, 'filename', None) or args.out}: {reason}" if reason else one_line(error)
        print(f"{args.command}: {message}", file=sys.stderr)
        return int(getattr(error, "exit_status", 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m stress [NAME ...]`: break things at random, print what was tried, and fail where anything was lost."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from model.console import Parser, between, one_line
from stress.counts import Counts, Plan
from stress.proofs import PROOFS, function


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        prog="stress",
        usage="python -m stress [NAME ...] [--times N] [--minutes M] [--seed N]",
        description="Break things at random and count what is lost.",
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to prove (default: all, see --list)")
    parser.add_argument("--list", action="store_true", help="name the proofs and end")
    parser.add_argument("--times", type=between(int, 1, 10**9), metavar="N", help="how often each is tried")
    parser.add_argument(
        "--minutes", type=between(float, 0.01, 10_000), default=60, metavar="M", help="of each at most (default: 60)"
    )
    parser.add_argument("--seed", type=between(int, 0, 2**31 - 1), metavar="N", help="(default: from the clock)")
    args = parser.parse_args(arguments)
    for name in args.names:
        if name not in PROOFS:
            parser.error(f"there is no proof {name!r}; there are {', '.join(PROOFS)}")
    return args


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 nothing was lost, 1 something was, 2 wrong use, 130 Ctrl-C."""
    args = parse(arguments)
    if args.list:
        for name, proof in PROOFS.items():
            print(f"{name:12}{proof.shows}")
        return 0
    seed = int(time.time()) if args.seed is None else args.seed
    print(f"seed {seed}", flush=True)
    lost = 0
    try:
        for name in args.names or PROOFS:
            counts = _prove(name, args, seed)
            lost += len(counts.losses)
    except KeyboardInterrupt:
        print("stress: stopped", file=sys.stderr)
        return 130
    return int(lost > 0)


def _prove(name: str, args: argparse.Namespace, seed: int) -> Counts:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stress-") as folder:
        plan = Plan(Path(folder), args.times or PROOFS[name].times, args.minutes * 60, seed)
        try:
            counts = function(name)(plan)
        except Exception as error:
            if os.environ.get("NSML_DEBUG") == "1":
                raise
            counts = Counts(losses=[f"the proof itself failed: {one_line(error)}"])
    print(f"{name:12}{counts.line()}, {time.monotonic() - began:.0f} s", flush=True)
    for line in counts.losses[:20]:
        print(f"  lost: {line}", flush=True)
    return counts


if __name__ == "__main__":
    sys.exit(main())

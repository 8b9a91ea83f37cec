"""Average what several sessions have learned, and keep it as one checkpoint.

nsml run -e ensemble.py -d DATASET -a "--members team/DATASET/1:best team/DATASET/2:30"
nsml submit SESSION ensemble
nsml report SESSION ensemble
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.console import Parser, between, one_line
from model.session_checkpoint import session_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.ensemble import Ensemble
    from model.network import Network
    from model.session_checkpoint import SessionCheckpoint

NAME = "ensemble"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, checked before anything heavy is imported."""
    parser = Parser(
        prog="ensemble.py",
        usage="python ensemble.py --members SESSION:CHECKPOINT ... [--weights N ...] [--tta 1]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--members", type=session_checkpoint, nargs="+", metavar="SESSION:CHECKPOINT",
        help="of any sessions of main.py with the same classes, also ensembles; sizes and preparations may differ",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=between(float, 1e-6, 1e6), nargs="+", metavar="N", help="one a member (default: all the same)"
    )
    add = parser.add
    add("--tta", between(int, 0, 1), 0, "1: average predictions over flips and turns as well")
    add("--pause", between(int, 0, 1), 0, "reserved: 1 where a checkpoint is to be loaded")
    add("--iteration", str, "0", "reserved: the name of that checkpoint")
    told = "reserved; report: write a page on what the ensemble has learned (default: train)"
    parser.add_argument("--mode", choices=("train", "test", "infer", "report"), default="train", help=told)
    told = "folder that a report is written to, in place of the platform's output folder"
    parser.add_argument("--out", type=Path, metavar="DIR", help=told)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure, as NSML_DEBUG=1 does")
    args = parser.parse_args(arguments)
    if not args.members and args.mode == "train":
        parser.error("argument --members: name one checkpoint or more, as in team/FUNDUS_DEMO/1:best")
    if args.weights and len(args.weights) != len(args.members or ()):
        parser.error(
            f"argument --weights: there are {len(args.weights)} for {len(args.members or ())} members; give one a member"
        )
    return args


def run(args: argparse.Namespace) -> None:
    """Bind the hooks; then predict where that is asked for, else put the members together."""
    import nsml
    from model.start import start_tensorflow

    if args.mode == "report":
        from evidence.report.entry import report_checkpoint
        from evidence.report.requirements import check_matplotlib

        check_matplotlib()

    start_tensorflow(0)

    from model import checkpoint, inference
    from model.members import fetch, together
    from model.symmetries import symmetric
    from model.validation import score_of

    kept: Ensemble | Network | None = None

    def save(folder: str) -> None:
        assert kept is not None
        checkpoint.save(folder, kept)

    def load(folder: str) -> None:
        nonlocal kept
        kept = checkpoint.load(folder)

    def infer(data: Any) -> list[int]:
        assert kept is not None
        return inference.infer(data, symmetric(kept.predict) if args.tta else kept.predict, kept.preparations)

    nsml.bind(save=save, load=load, infer=infer)
    if args.pause or args.mode != "train":
        nsml.paused(scope=locals())
    if args.mode == "report":
        report_checkpoint(kept, Path(nsml.DATASET_PATH) / "train" / "train_data", args.iteration, args.out)
        return

    weights = args.weights or [1.0] * len(args.members)
    found = [fetch(member, nsml.load) for member in args.members]
    describe(args.members, weights, found)
    ensemble = together(args.members, found, weights)
    if ensemble.validation is not None:
        result = score_of(ensemble.validation)
        print(f"together: {describe_validation(ensemble)}", flush=True)
        nsml.report(summary=True, step=0, val__score=result.value, val__accuracy=result.accuracy)
    kept = ensemble
    nsml.save(NAME)
    print(f"kept as checkpoint {NAME}: nsml submit {nsml.SESSION_NAME} {NAME}", flush=True)


def describe(
    members: Sequence[SessionCheckpoint], weights: Sequence[float], found: Sequence[Ensemble | Network]
) -> None:
    """Print a line for each member."""
    width = max(len(str(member)) for member in members)
    for member, weight, kept in zip(members, weights, found, strict=True):
        print(f"{member!s:<{width}}  weight {weight:g}  {describe_validation(kept)}", flush=True)


def describe_validation(kept: Ensemble | Network) -> str:
    """How well it did on the photographs that it validated on, in words."""
    from model.validation import score_of

    if kept.validation is None:
        return "no validation predictions"
    result = score_of(kept.validation)
    return f"{len(kept.validation.samples)} validated: acc {result.accuracy:.3f}  score {result.value:.2f}"


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 wrong use."""
    args = parse(arguments)
    try:
        run(args)
    except KeyboardInterrupt:
        print("ensemble.py: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug or os.environ.get("NSML_DEBUG") == "1":
            raise
        print(f"ensemble.py: {one_line(error)}", file=sys.stderr)
        return int(getattr(error, "exit_status", 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

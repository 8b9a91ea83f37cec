"""Average the predictions of several checkpoints, and save them as one checkpoint.

nsml run -e ensemble.py -d DATASET -a "--members team/DATASET/1:best team/DATASET/2:30"
nsml submit SESSION ensemble
nsml report SESSION ensemble
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.console import between, exit_status
from model.run.arguments import new_parser, session_checkpoint

NAME = "ensemble"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse and check the command line, before TensorFlow starts."""
    parser = new_parser("ensemble.py", "--members SESSION:CHECKPOINT ... [--weights N ...] [--views 1]", __doc__)
    parser.add_argument(
        "--members", type=session_checkpoint, nargs="+", metavar="SESSION:CHECKPOINT",
        help="networks or ensembles of sessions of main.py with the same classes; image sizes and recipes may differ",
    )  # fmt: skip
    weight, text = between(float, 1e-6, 1e6), "one for each member (default: equal weights)"
    parser.add_argument("--weights", type=weight, nargs="+", metavar="N", help=text)
    parser.add_argument(
        "--views", type=int, choices=(1, 8),
        help="8: average over flips and turns as well; 1: predict once (default: 8 if a member does)",
    )  # fmt: skip
    args = parser.parse_args(arguments)
    if not args.members and args.mode == "train":
        parser.error("argument --members: name one checkpoint or more, as in team/FUNDUS_DEMO/1:best")
    members = len(args.members or ())
    if args.weights and len(args.weights) != members:
        parser.error(
            f"argument --weights: there are {len(args.weights)} for {members} members; give one for each member"
        )
    return args


def run(args: argparse.Namespace) -> None:
    """Bind the hooks, then predict, report or build the ensemble, as `--mode` says."""
    import nsml
    from model.run.devices import start_tensorflow
    from model.run.entry import Hooks, check_mode

    if args.mode == "report":
        from evidence.report.requirements import check_matplotlib

        check_matplotlib()
    start_tensorflow(0)
    from model.metrics import score_of
    from model.run.other_sessions import describe_validation, fetch, together

    hooks = Hooks()
    if args.pause or args.mode != "train":
        nsml.paused(scope=locals())
    check_mode(args.mode)
    if args.mode == "report":
        from evidence.report.entry import report_checkpoint

        report_checkpoint(hooks.held, Path(nsml.DATASET_PATH) / "train" / "train_data", args.iteration, args.out)
        return
    weights = args.weights or [1.0] * len(args.members)
    fetched = [fetch(member, nsml.load) for member in args.members]
    width = max(len(str(member)) for member in args.members)
    for member, weight, each in zip(args.members, weights, fetched, strict=True):
        print(f"{member!s:<{width}}  weight {weight:g}  {describe_validation(each)}", flush=True)
    ensemble = together(args.members, fetched, weights, args.views or max(each.views for each in fetched))
    if ensemble.validation is not None:
        result = score_of(ensemble.validation)
        print(f"together: {describe_validation(ensemble)}", flush=True)
        nsml.report(summary=True, step=0, val__score=result.value, val__accuracy=result.accuracy)
    hooks.keep(NAME, ensemble)
    print(f"saved as checkpoint {NAME}: nsml submit {nsml.SESSION_NAME} {NAME}", flush=True)


if __name__ == "__main__":
    sys.exit(exit_status("ensemble.py", run, parse()))

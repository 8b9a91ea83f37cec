"""Train a recipe for fundus photographs, and predict with what it learned.

nsml run -d DATASET -a "--epoch 60"   trains in a session; nsml submit SESSION best scores it
python main.py --epoch 3              trains by hand, on NSML_DATASET, else on the made-up FUNDUS_DEMO
python main.py --set help             lists what --set changes of the recipe, see model/recipes.py
python main.py --mode test            predicts the test photographs with the newest checkpoint
python main.py --mode report --iteration best    writes a page on what that checkpoint has learned
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from model.console import between
from model.recipes import winning
from model.run.arguments import add_recipe, add_split, check_split, new_parser, read_recipe, session_checkpoint

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")
RECIPE = winning.__name__


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, checked before TensorFlow starts."""
    parser = new_parser("main.py", "[--recipe NAME] [--set FIELD=VALUE] [--epoch N] ...", __doc__)
    add_recipe(parser, RECIPE)
    add_split(parser, CLASSES)
    add = parser.add
    add("--save_every", between(int, 1, 10_000), 5, "epochs between checkpoints, besides 'best' and the end of a phase")
    parser.add_argument(
        "--pretrained", type=session_checkpoint, metavar="SESSION:CHECKPOINT", help="begin with the weights of that"
    )
    args = parser.parse_args(arguments)
    check_split(parser, args)
    args.wanted, args.changes = read_recipe(parser, args, RECIPE)
    return args


def run(args: argparse.Namespace) -> None:
    """Bind the hooks; predict or report where that is asked for, else train."""
    import nsml
    from model.run.entry import Hooks, UsageError, photographs_folder

    photographs = photographs_folder(args.mode)
    if args.mode == "report":
        from evidence.report.requirements import check_matplotlib

        check_matplotlib()  # before minutes are spent
    from model.run.devices import start_tensorflow, strategy_for

    start_tensorflow(args.seed or 0, deterministic=not args.wanted.jit)
    hooks = Hooks()
    try:
        strategy = strategy_for(int(nsml.GPU_NUM) if args.mode == "train" else 1)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with strategy.scope():
        if args.pause or args.mode != "train":
            nsml.paused(scope=locals())
        if args.mode == "report":
            from evidence.report.entry import report_checkpoint

            report_checkpoint(hooks.held, photographs, args.iteration, args.out)
        else:
            train(args, hooks, photographs)


def train(args, hooks, photographs) -> None:  # type: ignore[no-untyped-def]
    """Train what the command line asks for, or go on from the checkpoint that the hooks hold."""
    import nsml
    from model.data import read_data
    from model.ensemble import Ensemble
    from model.folds import train_folds
    from model.run.entry import UsageError, cache_folder
    from model.run.other_sessions import begin
    from model.settings import Settings
    from model.training import train
    from model.validation import validate_with_views

    if isinstance(hooks.held, Ensemble):
        raise UsageError("an ensemble cannot be trained on; name a checkpoint of one of its networks")
    asked = {name: getattr(args, name) for name in ("recipe", "num_classes", "seed", "folds")}
    if hooks.held is None:
        fold = 0 if args.fold == "all" else args.fold or 0
        settings = Settings(args.wanted, CLASSES[: args.num_classes], args.seed or 0, fold, args.folds or 0)
    else:
        settings = hooks.held.settings
        for warning in settings.resume(args.changes, asked if args.fold == "all" else {**asked, "fold": args.fold}):
            print(f"warning: {warning}", flush=True)
    read = partial(read_data, photographs, cache=cache_folder())
    first = partial(begin, pretrained=args.pretrained, load=nsml.load)
    planned = f"recipe {settings.recipe.name}, {settings.recipe.epochs} epochs"
    if args.fold == "all":
        if not settings.folds:
            raise UsageError("argument --fold: the checkpoint's training has no folds, so all of them cannot go on")
        print(f"session {nsml.SESSION_NAME}: {settings.folds} folds, {planned}", flush=True)
        train_folds(
            hooks.held,
            settings,
            begin=first,
            read=read,
            report=nsml.report,
            keep=hooks.keep,
            save_every=args.save_every,
        )
        return
    data = read(settings)
    settings.recipe = settings.recipe.planned(len(data.train_labels))
    hooks.held = hooks.held or first(settings)
    planned = f"recipe {settings.recipe.name}, {settings.recipe.epochs} epochs"
    print(f"session {nsml.SESSION_NAME}: {planned}, {hooks.held.model.count_params():,} weights", flush=True)
    train(hooks.held, data, report=nsml.report, save=nsml.save, save_every=args.save_every)
    if settings.recipe.views > 1:
        validate_with_views(hooks.held, data, nsml.report, nsml.save)


def main(arguments: list[str] | None = None) -> int:
    """The exit status, see `exit_status`."""
    args = parse(arguments)
    from model.run.entry import exit_status

    return exit_status("main.py", run, args)


if __name__ == "__main__":
    sys.exit(main())

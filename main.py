"""Train a recipe for fundus photographs, and predict with the trained network.

nsml run -d DATASET                   trains in a session; nsml submit SESSION best scores it
python main.py --recipe winning       trains another recipe by hand, on NSML_DATASET, else on FUNDUS_DEMO
python main.py --set help             lists the fields of the recipe for --set, see model/recipes.py
python main.py --mode test            predicts the test photographs with the newest checkpoint
python main.py --mode report --iteration best    writes a report on that checkpoint
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from model.console import between, counted, exit_status
from model.run.arguments import add_recipe, add_split, check_split, new_parser, read_recipe, session_checkpoint

if TYPE_CHECKING:
    from model.run.entry import Hooks


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse and check the command line, before TensorFlow starts."""
    parser = new_parser("main.py", "[--recipe NAME] [--set FIELD=VALUE] [--epoch N] ...", __doc__)
    add_recipe(parser)
    add_split(parser)
    parser.add("--save_every", between(int, 1, 10_000), 5, "epochs between checkpoints, besides 'best'")
    parser.add_argument(
        "--pretrained", type=session_checkpoint, metavar="SESSION:CHECKPOINT", help="start with its weights"
    )
    args = parser.parse_args(arguments)
    check_split(parser, args)
    args.wanted, args.changes = read_recipe(parser, args)
    args.deadline = time.monotonic() + 3600 * args.hours if args.hours else None
    return args


def run(args: argparse.Namespace) -> None:
    """Bind the hooks, then predict, report or train, as `--mode` says."""
    import nsml
    from model.run.devices import is_given_gpus, start_tensorflow, strategy_for
    from model.run.entry import Hooks, check_mode, photographs_folder

    photographs = photographs_folder(args.mode)
    if args.mode == "report":
        from evidence.report.requirements import check_matplotlib

        check_matplotlib()  # before TensorFlow starts, which takes seconds
    start_tensorflow(args.seed or 0, deterministic=not args.wanted.jit)
    hooks = Hooks()
    strategy = strategy_for(int(nsml.GPU_NUM), may_take_all=args.mode == "train" and is_given_gpus())
    with strategy.scope():
        if args.pause or args.mode != "train":
            nsml.paused(scope=locals())
        check_mode(args.mode)
        if args.mode == "report":
            from evidence.report.entry import report_checkpoint

            report_checkpoint(hooks.held, photographs, args.iteration, args.out, args.classes)
        else:
            train_session(args, hooks, photographs)


def train_session(args: argparse.Namespace, hooks: Hooks, photographs: Path) -> None:
    """Train a new network, or go on with the one that the hooks loaded."""
    import nsml
    from dataprep.catalog import read_catalog, read_chosen
    from model.baselines import print_baselines, print_beaten
    from model.data import check_folds, read_data
    from model.folds import train_folds
    from model.plan import print_plan
    from model.run import entry
    from model.run.other_sessions import begin
    from model.training import train

    if args.fold == "all" and hooks.has_all_folds():
        return
    network = hooks.network
    if network is None:
        catalog = read_chosen(photographs, args.classes or args.num_classes, args.patient_pattern)
        settings = entry.new_settings(args, catalog)
        settings.recipe = print_plan(catalog, settings, args.changes, timed=args.deadline is not None)
    else:
        catalog = read_catalog(photographs, network.classes, network.settings.patient_pattern)
        settings = entry.resumed_settings(args, network, catalog)
        if args.fold != "all" and entry.is_finished(network, args.deadline):
            return
    entry.record_origin(settings)
    saving = {"report": nsml.report, "save_every": args.save_every, "deadline": args.deadline}
    read = partial(read_data, photographs, cache=entry.cache_folder(), catalog=catalog)
    first = partial(begin, pretrained=args.pretrained, load=nsml.load)
    if args.fold == "all":
        print(f"session {nsml.SESSION_NAME}: {settings.folds} folds, recipe {settings.recipe.name}", flush=True)
        check_folds(catalog, settings)
        train_folds(network, settings, begin=first, read=read, keep=hooks.keep, **saving)
        return
    network = hooks.held = network or first(settings)
    data, recipe, begun = read(settings), settings.recipe, settings.epoch
    planned = f"recipe {recipe.name}, {counted(recipe.epochs, 'epoch')}, {network.model.count_params():,} weights"
    print(f"session {nsml.SESSION_NAME}: {planned}", flush=True)
    if recipe.baselines:
        network.baselines = print_baselines(data, settings)
    train(network, data, save=nsml.save, metric=entry.dataset_metric(), **saving)
    if recipe.views > 1:
        entry.validate_checkpoints(hooks, network, data, begun)
    print_beaten(network)


if __name__ == "__main__":
    sys.exit(exit_status("main.py", run, parse()))

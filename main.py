"""Train the winning recipe of the fundus datathon, and predict with what it learned.

nsml run -d DATASET -a "--epoch 60"   trains in a session; nsml submit SESSION best scores it
python main.py --epoch 3              trains by hand, on NSML_DATASET, else on the made-up FUNDUS_DEMO
python main.py --mode test            predicts the test photographs with the newest checkpoint
python main.py --mode report --iteration best    writes a page on what that checkpoint has learned
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.console import Parser, between, one_line
from model.session_checkpoint import session_checkpoint

if TYPE_CHECKING:
    from model.ensemble import Ensemble
    from model.network import Network
    from model.settings import Settings
    from model.training import Data

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")
NO_DATASET = "set NSML_DATASET to a dataset of 'nsml dataset ls', or draw the made-up one with 'nsml dataset demo'"


class UsageError(Exception):
    """Wrong use; one line with the mend."""

    exit_status = 2


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, checked before anything heavy is imported."""
    parser = Parser(
        prog="main.py",
        usage="python main.py [--epoch N] [--batch_size N] ...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    add = parser.add
    add("--epoch", between(int, 1, 10_000), 32, "epochs: three quarters with strong augmentation, the rest gentle")
    add("--batch_size", between(int, 1, 1024), 16, "photographs in a training step")
    add("--num_classes", between(int, 2, len(CLASSES)), len(CLASSES), f"the first N classes of {', '.join(CLASSES)}")
    add("--learning_rate", between(float, 1e-7, 1), 0.003, "in the first phase; the second has a tenth")
    add("--image_size", between(int, 32, 1024), 96, "side in pixels that photographs are prepared to")
    add("--width", between(int, 1, 256), 16, "channels of the network's first block")
    add("--folds", between(int, 0, 100), 0, "validate on one of N folds; 0: on a fifth of the patients")
    add("--fold", fold_or_all, 0, "which of the folds, counted from 0; all: each in turn, and their ensemble, 'all'")
    parser.one_of("--optimizer", ("radam", "adam"), "radam: rectified Adam, as the winners took; adam: as Keras has it")
    add(
        "--local_average",
        between(int, 0, 1),
        1,
        "0: photographs in their own colours, the local average not subtracted",
    )
    add("--class_weights", between(int, 0, 1), 1, "0: each photograph counts the same, however rare its class")
    add("--seed", between(int, 0, 2**31 - 1), 0, "of the split, the first weights and the augmentation")
    add("--save_every", between(int, 1, 10_000), 5, "epochs between checkpoints, besides 'best' and the end of a phase")
    add(
        "--ema",
        between(float, 0, 0.9999),
        0.0,
        "predict by weights averaged over the last 1 / (1 - N) steps; 0: the last",
    )
    add(
        "--tta",
        between(int, 0, 1),
        0,
        "1: average predictions over flips and turns, in infer and once after the last epoch",
    )
    parser.add_argument(
        "--pretrained",
        type=session_checkpoint,
        metavar="SESSION:CHECKPOINT",
        help="begin with the weights of that (default: random)",
    )
    one_of = parser.one_of
    one_of("--precision", ("auto", "float32", "bfloat16", "float16"), "auto: what is fastest of what trains as well")
    one_of("--jit", ("auto", "on", "off"), "compile the step by XLA; auto: where a few timed steps on a GPU say so")
    add("--pause", between(int, 0, 1), 0, "reserved: 1 where a checkpoint is to be loaded")
    add("--iteration", str, "0", "reserved: the name of that checkpoint")
    modes = ("train", "test", "infer", "report")
    told = "reserved; report: write a page on what the checkpoint has learned (default: train)"
    parser.add_argument("--mode", choices=modes, default="train", help=told)
    told = "folder that a report is written to, in place of the platform's output folder"
    parser.add_argument("--out", type=Path, metavar="DIR", help=told)
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure, as NSML_DEBUG=1 does")
    args = parser.parse_args(arguments)
    if args.folds == 1:
        parser.error("argument --folds: 1 fold leaves nothing to train on; give 0, or 2 or more")
    if args.fold == "all":
        if not args.folds:
            parser.error("argument --fold: all needs --folds 2 or more")
    elif args.fold >= max(args.folds, 1):
        parser.error(f"argument --fold: fold {args.fold} needs --folds {args.fold + 1} or more")
    return args


def fold_or_all(text: str) -> int | str:
    """A converter for argparse."""
    fold: int | str = text if text == "all" else between(int, 0, 99)(text)
    return fold


def run(args: argparse.Namespace) -> None:
    """Bind the hooks; then predict where that is asked for, else train."""
    import nsml

    if not nsml.DATASET_PATH:
        raise UsageError(f"there is no dataset; {NO_DATASET}")
    photographs = Path(nsml.DATASET_PATH) / "train" / "train_data"
    if args.mode in ("train", "report") and not photographs.is_dir():
        raise UsageError(f"{photographs} is missing; {NO_DATASET}")

    if args.mode == "report":
        from evidence.report.entry import report_checkpoint
        from evidence.report.requirements import check_matplotlib

        check_matplotlib()  # before minutes may be spent

    from model.start import repeat_exactly, start_tensorflow

    start_tensorflow(args.seed, args.jit)

    from dataprep.photograph import Preparation
    from model import checkpoint, inference
    from model.data import read_data, read_split
    from model.distribution import strategy_for
    from model.ensemble import Ensemble
    from model.folds import train_folds
    from model.network import Network, new_network
    from model.pretraining import pretrain
    from model.recipe import winning_recipe
    from model.settings import Settings
    from model.symmetries import symmetric
    from model.training import train
    from model.trial import choose
    from model.validation import validate_with_symmetries

    network: Network | Ensemble | None = None

    def save(folder: str) -> None:
        assert network is not None
        checkpoint.save(folder, network)

    def load(folder: str) -> None:
        nonlocal network
        network = checkpoint.load(folder)

    def infer(data: Any) -> list[int]:
        assert network is not None
        predict = symmetric(network.predict) if args.tta else network.predict
        return inference.infer(data, predict, network.preparations)

    nsml.bind(save=save, load=load, infer=infer)
    try:
        strategy = strategy_for(int(nsml.GPU_NUM) if args.mode == "train" else 1)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with strategy.scope():
        if args.pause or args.mode != "train":
            nsml.paused(scope=locals())
        if args.mode == "report":
            report_checkpoint(network, photographs, args.iteration, args.out)
            return

        recipe = winning_recipe(args.epoch, args.learning_rate, args.batch_size)
        recipe = replace(recipe, class_weights=bool(args.class_weights))
        fold = (network.settings.fold if isinstance(network, Network) else 0) if args.fold == "all" else args.fold
        settings = Settings(
            Preparation(args.image_size, local_average=bool(args.local_average)), CLASSES[: args.num_classes], args.width,
            depth=5, dropout=recipe.dropout, l2=recipe.l2, ema=args.ema, seed=args.seed, fold=fold, folds=args.folds,
            optimizer=args.optimizer,
        )  # fmt: skip
        precision = args.precision
        if isinstance(network, Ensemble):
            raise UsageError("an ensemble is not trained on; name a checkpoint of one of its networks")
        if network is not None:
            settings.precision = network.settings.precision if precision == "auto" else precision
            for difference in network.settings.differences(settings):
                print(f"warning: {difference}", flush=True)
            settings, precision = network.settings, network.settings.precision
            if args.fold == "all" and not settings.folds:
                raise UsageError("argument --fold: the checkpoint's training has no folds, so all of them cannot go on")

        def begin(settings: Settings) -> Network:
            begun = new_network(settings)
            if args.pretrained:
                pretrain(begun, args.pretrained, nsml.load)
            return begun

        def read(settings: Settings) -> Data:
            return read_data(photographs, settings, cache_folder())

        def keep(name: str, kept: Network | Ensemble) -> None:
            nonlocal network
            network = kept
            nsml.save(name)

        def steps() -> int:
            learned = read_split(photographs, settings)[1].train if args.fold == "all" else data.train_labels
            return max(recipe.epochs - settings.epoch, 0) * recipe.steps_per_epoch(len(learned))

        if args.fold != "all":
            data = read(settings)
        computing = choose(settings, precision, args.jit, recipe.batch_size, steps)
        settings.precision = computing.precision
        if not computing.jit:
            repeat_exactly()
        if args.fold == "all":
            print(f"session {nsml.SESSION_NAME}: {settings.folds} folds of {recipe.epochs} epochs", flush=True)
            train_folds(
                network, settings, recipe, begin=begin, read=read, report=nsml.report, keep=keep, tta=bool(args.tta),
                save_every=args.save_every, jit=computing.jit,
            )  # fmt: skip
            return
        if network is None:
            network = begin(settings)
        weight_count = network.model.count_params()
        print(f"session {nsml.SESSION_NAME}: {recipe.epochs} epochs, {weight_count:,} weights to learn", flush=True)
        train(
            network, recipe, data, report=nsml.report, save=nsml.save, save_every=args.save_every, jit=computing.jit
        )  # fmt: skip
        if args.tta:
            validate_with_symmetries(network, data, nsml.report, nsml.save)


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 wrong use."""
    args = parse(arguments)
    try:
        run(args)
    except KeyboardInterrupt:
        print("main.py: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug or os.environ.get("NSML_DEBUG") == "1":
            raise
        print(f"main.py: {one_line(error)}", file=sys.stderr)
        return int(getattr(error, "exit_status", 1))
    return 0


def cache_folder() -> Path:
    """Where prepared photographs are kept: a folder that outlives the session where the platform has one, else beside the code."""
    import nsml

    outlives = getattr(nsml, "NSML_NFS_OUTPUT", "")
    return Path(outlives) / "prepared" if outlives else Path(__file__).parent / ".cache" / "prepared"


if __name__ == "__main__":
    sys.exit(main())

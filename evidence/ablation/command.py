"""The commands `ablate` and `leak`: their arguments and their steps."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.console import between, counted
from model.recipes import DEFAULT, RecipeError, without_features
from model.run.arguments import add_photographs, add_recipe, read_recipe

if TYPE_CHECKING:
    from .arms import Arm, Record
    from .dataset import Dataset
    from .runs import Outcome, Run

ABLATE = """The recipe with each ingredient switched off in turn, with the same seeds and folds: a table of what each is worth, with
intervals, and a forest plot. Finished runs are stored in --out: the same command resumes, and several processes may share the work.
Predictions are those of the last epoch."""
LEAK = """The recipe with a split by file and with a split by patient, with the metrics of validation and of
the test photographs: how much of a validation score comes from fellow eyes in training. The runs are those of `ablate`."""


def add_parsers(commands: Any) -> None:
    """Add `ablate` and `leak` to the commands of a parser."""
    for name, text in (("ablate", ABLATE), ("leak", LEAK)):
        command = commands.add_parser(name, description=text, help=text.partition(":")[0], allow_abbrev=False)
        command.add_argument(
            "--data", required=True, metavar="NAME|PATH",
            help="a dataset's folder, or its registered name; with test/test_label in it, the test photographs are predicted too",
        )  # fmt: skip
        add = command.add
        add(
            "--seeds", between(int, 1, 100), 1, "with the seeds 0 to N - 1: other folds, first weights and augmentation"
        )
        add("--folds", between(int, 2, 100), 5, "folds by patient, all of them")
        if name == "ablate":
            command.add_argument(
                "--only",
                type=_names,
                metavar="ARM,..",
                help="only these arms and the recipe; also tta, ema, longer, wider, half, quarter (default: each ingredient)",
            )
            command.add_argument(
                "--try", dest="tried", action="append", default=[], metavar="RECIPE|FIELD=VALUE,..",
                help="also another recipe, or this one with other fields of --set (repeatable)",
            )  # fmt: skip
            add("--tune", between(int, 1, 9), 1, "learning rates to try for each arm, which then has the best one")
            command.add_argument(
                "--pretrained", type=Path, metavar="DIR",
                help="also the recipe that starts from the weights of the checkpoint in this folder",
            )  # fmt: skip
        add_photographs(command)
        add_recipe(command)
        command.add_argument("--out", type=Path, default=Path("ablation"), metavar="DIR", help="(default: ./ablation)")
        command.add_argument("--minutes", type=between(float, 0, 1e6), metavar="M", help="start no run after M minutes")
        command.add_argument(
            "--threads", type=between(int, 1, 1024), metavar="T", help="threads of this process (default: all)"
        )
        if name == "ablate":
            command.add_argument(
                "--picture",
                type=_picture,
                metavar="FILE",
                help="the forest plot (default: DIR/forest.png, .pdf and .svg)",
            )
        command.add_argument("--markdown", type=Path, metavar="FILE", help="write the table between its marks in FILE")
        command.add_argument("--debug", action="store_true", help="show the traceback of a failure")
        command.set_defaults(run=run, parser=command)


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(f"{text!r}: give a name that ends with .png, .pdf or .svg")
    return path


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r}: give different names, separated by commas")
    return names


def run(args: argparse.Namespace) -> None:
    """Make the missing runs, and print the tables of all runs."""
    from model.settings import Settings

    from .dataset import find_dataset
    from .runs import plan
    from .schedule import finished, make_runs
    from .tuning import trials, tuned

    args.only = getattr(args, "only", None) or ()
    if args.command == "leak":
        args.only, args.pretrained, args.tried, args.tune = ("file_split",), None, [], 1
    from .arms import ADDITIONS, ARMS, BY_NAME, FROZEN_FEATURES, RECIPE, Record, pretrained_arm, tried_arm

    if unknown := [name for name in args.only if name not in BY_NAME]:
        raise UsageError(f"argument --only: no arm {unknown[0]!r}; there are {', '.join(BY_NAME)}")
    recipe, args.changes = read_recipe(args.parser, args)
    dataset = find_dataset(args.data, args.classes, args.folds, args.seeds + (args.tune > 1), args.patient_pattern)
    if args.command == "leak" and not dataset.test:
        raise UsageError(
            f"argument --data: {args.data} has no test labels to compare with; give a dataset's folder with test/test_label"
        )
    record = Record(Settings(recipe, dataset.classes, folds=args.folds, patient_pattern=args.patient_pattern))
    wanted = (RECIPE, *args.only) if args.only else (RECIPE,) if args.tried else [arm.name for arm in ARMS]
    arms = tuple(arm for arm in (*ARMS, *ADDITIONS) if arm.name in wanted)
    alike, given = [], "--try"
    try:
        arms += tuple(tried_arm(text, args.changes) for text in args.tried)
        for arm in arms[1:]:
            given = f"--only: {arm.name}" if arm.name in BY_NAME else "--try"
            alike += [arm] if arm.change(record) == record else []
    except RecipeError as error:
        raise UsageError(f"argument {given}: {error}") from None
    for arm in alike:
        print(f"left out: {arm.title}, which changes nothing in recipe {recipe.name}", flush=True)
    arms = tuple(arm for arm in arms if arm not in alike)
    if BY_NAME[FROZEN_FEATURES] in arms and (left_out := without_features(recipe)):
        print(left_out, flush=True)
        arms = tuple(arm for arm in arms if arm.name != FROZEN_FEATURES)
    if args.pretrained:
        arms += (pretrained_arm(args.pretrained),)
    execute = _executing(args, dataset, [arm.change(record) for arm in arms])
    folder, until = args.out / "runs", time.monotonic() + 60 * (args.minutes or 0)

    def make(runs: list[Run], title: str) -> int:
        missing = len(runs) - len(finished(runs, folder))
        print(f"{dataset.name}: {title}: {counted(len(runs), 'run')}, {missing} to make", flush=True)
        minutes = None if args.minutes is None else max(until - time.monotonic(), 0) / 60
        return make_runs(runs, folder, execute, minutes) if missing else 0

    rates = ""
    if args.tune > 1:
        tried = trials(arms, record, dataset, args.tune, args.seeds)
        if make(tried, f"{args.tune} learning rates for each arm"):
            print("not every learning rate is tried yet; repeat the command to continue", flush=True)
            return
        arms, rates = tuned(arms, record, finished(tried, folder))
        print(rates, flush=True)
    runs = plan(record, dataset, arms, args.seeds)
    make(runs, f"{counted(len(arms), 'arm')}, {args.folds} folds, {counted(args.seeds, 'seed')}")
    _show(args, dataset, arms, finished(runs, folder), rates)


def _executing(args: argparse.Namespace, dataset: Dataset, records: Sequence[Record]) -> Any:
    """A function that makes a run. Its first call starts TensorFlow, and sees whether each record's network can be built."""
    cache, log = args.out / "prepared", args.out / "runs"
    started = False

    def execute(run: Run) -> Outcome:
        nonlocal started
        if not started:
            _start(args.threads)
            _check_networks(records)
            started = True
        from .execute import execute

        # The lines of the epochs go to a log file beside the outcome.
        with open(log / f"{run.name}.log", "w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
            return execute(run.record, dataset, cache)

    return execute


def _check_networks(records: Sequence[Record]) -> None:
    """Build each kind of network once, which takes a second: ValueError if one cannot be, as where its weights are missing."""
    from model.network import check_network

    built = set()
    for record in records:
        recipe = record.recipe
        of_network = (recipe.network, recipe.width, recipe.depth, recipe.batch_norm, recipe.precision)
        kind = (*of_network, recipe.weights, recipe.image_size)
        if not record.rival and record.sample is None and kind not in built:
            built.add(kind)
            check_network(record.settings)


def _start(threads: int | None) -> None:
    from model.run.devices import start_tensorflow

    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    start_tensorflow(0)
    if threads is not None:
        import cv2
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        cv2.setNumThreads(threads)


def _show(
    args: argparse.Namespace, dataset: Dataset, arms: tuple[Arm, ...], done: list[tuple[Run, Outcome]], rates: str
) -> None:
    """Print the tables, draw the forest plot, and write both into the document of --markdown."""
    from . import document, forest
    from .findings import ablation, leak

    findings = leak(done, arms) if args.command == "leak" else ablation(done, arms, dataset)
    if rates and findings.grids:
        findings = replace(findings, sentences=(*findings.sentences, rates))
    print()
    print(findings.as_text(), flush=True)
    if not findings.grids:
        return
    picture = None
    if findings.table is not None and any(row.difference is not None for row in findings.table.rows):
        if forest.available():
            picture = args.picture or args.out / "forest.png"
            pictures = (
                [picture] if args.picture else [picture.with_suffix(f".{kind}") for kind in ("png", "pdf", "svg")]
            )
            forest.draw_forest(findings.table, dataset.name, pictures)
            print(f"forest plot: {', '.join(map(str, pictures))}", flush=True)
        else:
            print(f"warning: {forest.MISSING}", file=sys.stderr, flush=True)
    elif findings.table is not None and args.picture:
        print("warning: nothing stands beside the recipe, so no forest plot is drawn", file=sys.stderr, flush=True)
    if args.markdown:
        facts = [
            f"`{_as_typed(args)}`", *document.facts_of([outcome for _, outcome in done]),
        ]  # fmt: skip
        document.put(
            args.markdown, f"{dataset.name} {args.command}", document.markdown(findings, facts, picture, args.markdown)
        )
        print(f"written into {args.markdown}", flush=True)


def _as_typed(args: argparse.Namespace) -> str:
    """The command that repeats these runs, without --out, --minutes, --threads and where the tables go."""
    words = ["python", "-m", "evidence", args.command, "--data", Path(args.data).name]
    words += ["--seeds", f"{args.seeds}", "--folds", f"{args.folds}", "--recipe", args.recipe or DEFAULT]
    for name, value in args.changes.items():
        words += ["--set", f"{name}={value}"]
    if args.classes:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(args.classes)
        words += ["--classes", text.getvalue()]
    if args.patient_pattern:
        words += ["--patient-pattern", args.patient_pattern]
    if args.command == "ablate" and args.only:
        words += ["--only", ",".join(args.only)]
    for text in args.tried:
        words += ["--try", text]
    if args.tune > 1:
        words += ["--tune", f"{args.tune}"]
    if args.pretrained:
        words += ["--pretrained", args.pretrained.name]
    return shlex.join(words)


class UsageError(Exception):
    """Wrong use. The message is one line with the fix."""

    exit_status = 2

"""The command lines of main.py and ensemble.py, checked before TensorFlow is imported."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn

from dataprep.labels import FEWEST, MOST, LabelError, parse_classes

from ..console import Parser, between, silence_stdout
from ..recipes import DEFAULT, RECIPES, Recipe, RecipeError, changed, describe

# Arguments that change a field of the recipe, as --set does.
FIELDS = {"epoch": "epochs", "batch_size": "batch_size", "learning_rate": "learning_rate", "image_size": "image_size"}


@dataclass(frozen=True)
class SessionCheckpoint:
    """A checkpoint of a session. `session` is `USER/DATASET/NUMBER`."""

    session: str
    checkpoint: str

    @property
    def dataset(self) -> str:
        """The dataset of the session."""
        return self.session.rpartition("/")[0].rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.session}:{self.checkpoint}"


def session_checkpoint(text: str) -> SessionCheckpoint:
    """A type for argparse: `USER/DATASET/NUMBER:CHECKPOINT`."""
    session, _, name = text.partition(":")
    if not session or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not SESSION:CHECKPOINT, as in team/FUNDUS_DEMO/1:best")
    return SessionCheckpoint(session, name)


def class_names(text: str) -> tuple[str, ...]:
    """A type for argparse: `A,B`, the names of two or more classes."""
    try:
        return parse_classes(text)
    except LabelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def regular_expression(text: str) -> str:
    """A type for argparse: a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from None
    return text


def fold_or_all(text: str) -> int | str:
    """A type for argparse: the number of a fold, or "all"."""
    try:
        fold: int | str = text if text == "all" else between(int, 0, 99)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or all") from None
    return fold


class EntryParser(Parser):
    """The parser of an entry file. Where a field of the recipe is given as an argument, its error says how `--set` sets it."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments: ") and self.get_default("set") is not None:
            given = re.findall(r"--(\w+)(?:[ =](?!--)(\S+))?", message)
            names = {field.name for field in fields(Recipe)}
            if words := [f"--set {name}={value or 'VALUE'}" for name, value in given if name in names]:
                message += f"; a field of the recipe is given as {' '.join(words)}"
        super().error(message)


def new_parser(name: str, usage: str, description: str | None) -> Parser:
    """A parser with the platform's reserved arguments, `--out` and `--debug`."""
    parser = EntryParser(
        prog=name, usage=f"python {name} {usage}", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add("--pause", between(int, 0, 1), 0, "reserved: 1 loads a checkpoint")
    parser.add("--iteration", str, "0", "reserved: name of the checkpoint")
    parser.add_argument(
        "--mode", choices=("train", "test", "infer", "report"), default="train",
        help="reserved; report: write a report on a checkpoint (default: train)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the report (default: the platform's output)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure, as NSML_DEBUG=1 does")
    return parser


def add_recipe(parser: Parser) -> None:
    """Add `--recipe`, `--set` and the arguments for single fields of the recipe, see `read_recipe`."""
    parser.add_argument("--recipe", choices=tuple(RECIPES), help=f"a function of model/recipes.py (default: {DEFAULT})")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE",
        help="change a field of the recipe (repeatable); --set help lists the fields",
    )  # fmt: skip
    options = {field.name: field for field in fields(Recipe)}
    for argument, name in FIELDS.items():
        limits = options[name].metadata
        kind = int if options[name].type == "int" else float
        parser.add_argument(
            f"--{argument}", type=between(kind, limits["low"], limits["high"]), metavar="N",
            help=f"{limits['help']} (default: the recipe's)",
        )  # fmt: skip


def add_photographs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose classes, and patients by name."""
    add = parser.add_argument
    add(
        "--classes", type=class_names, metavar="A,B",
        help="only these classes of the dataset, such as NORMAL,AMD (default: all that have photographs)",
    )  # fmt: skip
    add(
        "--patient-pattern", type=regular_expression, default="", metavar="REGEX",
        help="finds the patient in the name of a photograph, or with a slash in its path: the group (?P<patient>...), else the first group "
        "(default: usual names)",
    )  # fmt: skip


def add_split(parser: Parser) -> None:
    """Add the arguments for classes, patients, folds, time and seed, see `check_split`."""
    add_photographs(parser)
    add = parser.add_argument
    count, seed = between(int, FEWEST, MOST), between(int, 0, 2**31 - 1)
    add("--num_classes", type=count, metavar="N", help="only the first N classes of the dataset (default: all)")
    add(
        "--folds", type=between(int, 0, 100), metavar="N", help="number of folds (default: 0, one split, a fifth validates)"
    )  # fmt: skip
    add("--fold", type=fold_or_all, metavar="N", help="validation fold, from 0; all: each in turn (default: 0)")
    add(
        "--hours", type=between(float, 0.01, 1000), metavar="N",
        help="train as many epochs as fit into this time from the start of the program, for all folds together",
    )  # fmt: skip
    add("--seed", type=seed, metavar="N", help="seed of split, initial weights and augmentation (default: 0)")


def check_split(parser: Parser, args: argparse.Namespace) -> None:
    """Exit with an error if the arguments of `add_split` contradict each other."""
    folds, fold = args.folds or 0, args.fold or 0
    if args.classes and args.num_classes:
        parser.error("argument --num_classes: both --classes and --num_classes choose the classes; give one of them")
    if folds == 1:
        parser.error("argument --folds: 1 fold leaves no photographs to train on; give 0, or 2 or more")
    if fold == "all" and not folds:
        parser.error("argument --fold: all needs --folds 2 or more")
    if fold != "all" and fold >= max(folds, 1):
        parser.error(f"argument --fold: fold {fold} needs --folds {fold + 1} or more")


def read_recipe(parser: Parser, args: argparse.Namespace) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of the command line, and its changed fields. `--set help` prints the fields and exits."""
    chosen = args.recipe or DEFAULT
    try:
        recipe = replace(RECIPES[chosen](), name=chosen)
    except RecipeError as error:
        parser.error(f"argument --recipe: {chosen} of model/recipes.py: {error}")
    if "help" in args.set:
        try:
            print(_fitted(describe(recipe)), flush=True)
        except BrokenPipeError:  # as `head` leaves it
            silence_stdout()
        parser.exit(0)
    changes = {
        name: getattr(args, argument) for argument, name in FIELDS.items() if getattr(args, argument) is not None
    }
    for text in args.set:
        name, equals, value = text.partition("=")
        if not name or not equals:
            parser.error(f"argument --set: {text!r} is not FIELD=VALUE, as in width=24")
        for argument in FIELDS:
            if FIELDS[argument] == name and getattr(args, argument) is not None:
                parser.error(f"argument --set: both --set {name} and --{argument} set the same; give one of them")
        changes[name] = value
    if "epochs" in changes:
        changes.setdefault("steps", 0)
        if getattr(args, "hours", None):
            given = "--set epochs" if args.epoch is None else "--epoch"
            parser.error(f"argument --hours: both --hours and {given} set the number of epochs; give one of them")
    try:
        return changed(recipe, changes), changes
    except RecipeError as error:
        parser.error(f"argument --set: {error}")


def _fitted(text: str) -> str:
    """The text with its long lines wrapped, where a person reads it on a terminal."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(textwrap.fill(line, width, subsequent_indent=" " * 6) for line in text.splitlines())

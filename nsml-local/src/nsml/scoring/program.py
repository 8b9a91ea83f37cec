"""The built-in scorers as a program. It runs in a separate process, the only one that reads the labels.

    python -m nsml.scoring.program --metric fundus --prediction FILE --test_label_path FILE --classes NORMAL,AMD,RVO,DMR

prints details, then the score as the last line. Warnings and the score of the best constant answer go to stderr.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import NsmlError, PredictionsRefused
from ..wording import score
from .metrics import METRICS, score_files
from .predictions import read_part

REFUSED = 3
CONSTANT = "constant answer: "


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0, REFUSED if the predictions do not fit the test set, 1 if the labels cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m nsml.scoring.program", description="The built-in scorers.")
    parser.add_argument("--metric", choices=METRICS, required=True)
    parser.add_argument("--prediction", type=Path, required=True, help="FOLDER,FILE,PREDICTION lines")
    parser.add_argument("--test_label_path", type=Path, required=True, help="FOLDER,FILE,LABEL lines")
    parser.add_argument(
        "--classes",
        metavar="A,B",
        default="",
        help="names of the classes by label number; one with a comma in double quotes",
    )
    parser.add_argument("--part", type=Path, help="FOLDER,FILE lines: score these only")
    parser.add_argument("--rest", action="store_true", help="score all but those of --part")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        # Names of classes may be no UTF-8.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        classes = next(csv.reader([options.classes]), [])
        part = read_part(options.part) if options.part else None
        files = (options.prediction, options.test_label_path)
        result = score_files(options.metric, *files, classes, part, options.rest)
    except NsmlError as error:
        print(error, file=sys.stderr)
        return REFUSED if isinstance(error, PredictionsRefused) else 1
    if result.warning:
        print(f"warning: {result.warning}", file=sys.stderr)
    if result.details:
        print(result.details)
    if result.constant is not None:
        print(f"{CONSTANT}{score(result.constant)}", file=sys.stderr)
    print(score(result.score))
    return 0


if __name__ == "__main__":
    sys.exit(main())

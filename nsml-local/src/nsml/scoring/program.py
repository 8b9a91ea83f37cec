"""The built-in scorer as a program, in a process of its own, the only one that reads the labels.

    python -m nsml.scoring.program --metric fundus --prediction FILE --test_label_path FILE

prints what there is to read and, as its last line, the score; warnings go to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import NsmlError, PredictionsRefused
from .metrics import METRICS, score_files

REFUSED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, REFUSED where the predictions do not fit the test set, 1 where the labels cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m nsml.scoring.program", description="The built-in scorers.")
    parser.add_argument("--metric", choices=METRICS, required=True)
    parser.add_argument("--prediction", type=Path, required=True, help="FOLDER,FILE,PREDICTION lines")
    parser.add_argument("--test_label_path", type=Path, required=True, help="FOLDER,FILE,LABEL lines")
    parser.add_argument("--classes", type=int, default=0, help="how many classes there are at least")
    asked = parser.parse_args(arguments)
    try:
        result = score_files(asked.metric, asked.prediction, asked.test_label_path, asked.classes)
    except NsmlError as error:
        print(error, file=sys.stderr)
        return REFUSED if isinstance(error, PredictionsRefused) else 1
    if result.warning:
        print(f"warning: {result.warning}", file=sys.stderr)
    if result.details:
        print(result.details)
    print(f"{result.score:.10f}".rstrip("0").rstrip("."))
    return 0


if __name__ == "__main__":
    sys.exit(main())

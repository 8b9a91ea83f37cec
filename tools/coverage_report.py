"""Tells the branch coverage that the tests measured; exit status 1 where it is less than is wanted.

Each process of the tests left a file. A process that was killed while it wrote may have left half of one, which `coverage combine` ends at.
"""

from __future__ import annotations

import argparse
import io
import sys
from glob import iglob
from pathlib import Path

import coverage
from coverage import CoverageData
from coverage.exceptions import CoverageException


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description="Tell the branch coverage that the tests measured.", allow_abbrev=False
    )
    parser.add_argument(
        "wanted", nargs="+", metavar="PACKAGE[,PACKAGE]=PERCENT", help="what is measured, and how much is wanted"
    )
    parser.add_argument("--omit", default="", metavar="PACKAGE/PACKAGE", help="which no test could run here")
    args = parser.parse_args()
    measured = coverage.Coverage()
    file = str(measured.get_option("run:data_file"))
    torn = combine(file)
    measured.load()
    if torn:
        print(f"coverage: {torn} processes were ended before they had stored their figures")
    enough = True
    for words in args.wanted:
        names, _, least = words.partition("=")
        inside = [f"*/{name}/*" for name in names.split(",")]
        omitted = args.omit.partition("/")[0] in names.split(",")
        outside = [f"*/{args.omit}/*"] if omitted else []
        percent = measured.report(include=inside, omit=outside, file=io.StringIO())
        left_out = f" without {args.omit}" if omitted else ""
        print(f"branch coverage of {names}{left_out}: {percent:.1f} %; {least} % are wanted")
        enough &= percent >= float(least)
    if not enough:
        lines = f"COVERAGE_FILE={file} {Path(sys.executable).with_name('coverage')} report -m"
        print(f"coverage: less than is wanted; '{lines}' names the lines that no test ran", file=sys.stderr)
    return int(not enough)


def combine(file: str) -> int:
    """Move the figures of all `file.*` into `file`; how many could not be read."""
    together, torn = CoverageData(file), 0
    for name in iglob(f"{file}.*"):
        found = CoverageData(name, read_only=True)
        try:
            found.read()
            if not all(found.measured_files()):
                raise CoverageException("a file without a name")
            together.update(found)
        except CoverageException:
            torn += 1
        Path(name).unlink()
    return torn


if __name__ == "__main__":
    sys.exit(main())

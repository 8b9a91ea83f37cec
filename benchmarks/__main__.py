"""`python -m benchmarks [NAME ...]`: run benchmarks and print a table of each."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

from benchmarks.document import split_document, write_document
from benchmarks.records import Record, from_dict, to_dict
from benchmarks.rows import ROWS, Plan, function
from benchmarks.table import WIDTH, missed, terminal_table
from evidence import machine
from model.console import Parser, one_line


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        prog="benchmarks",
        usage="python -m benchmarks [NAME ...] [--quick] [--json FILE] [--markdown FILE]",
        description="Time what this project does against named baselines, in turns, on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run (default: all, see --list)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller samples: minutes in all, less certain")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured as JSON too")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="put the tables between the marks in this document"
    )
    parser.add_argument(
        "--from", dest="sources", type=Path, action="append", default=[], metavar="FILE",
        help="measure nothing, show what --json wrote; may be given several times",
    )  # fmt: skip
    args = parser.parse_args(arguments)
    for name in args.names:
        if name not in ROWS:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(ROWS)}")
    for path in (args.json, args.markdown):
        if path and not path.absolute().parent.is_dir():
            parser.error(f"{path}: there is no such folder")
    for path in args.sources:
        if not path.is_file():
            parser.error(f"--from {path}: there is no such file")
    try:
        # Before minutes of measuring.
        if args.markdown:
            split_document(args.markdown)
        args.measured = put_together(args.sources, args.names) if args.sources else None
    except ValueError as error:
        parser.error(str(error))
    return args


def run(args: argparse.Namespace) -> int:
    """The exit status: 0 done, whether targets were reached or not; 1 where a benchmark failed."""
    failed = False
    if args.measured:
        found = args.measured
        for name, records in found["results"].items():
            print(terminal_table(f"{name}: {ROWS[name]}", records), end="\n\n")
    else:
        found = {"machine": machine.describe(), "quick": args.quick, "seconds": {}, "results": {}}
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
            # In one order, and each once, however they were named.
            for name in [name for name in ROWS if name in (args.names or ROWS)]:
                began = time.monotonic()
                try:
                    records = list(function(name)(Plan(Path(folder), args.quick)))
                except Exception as error:
                    if os.environ.get("NSML_DEBUG") == "1":
                        raise
                    failed = True
                    print(f"benchmarks: {name}: {one_line(error)}", file=sys.stderr, flush=True)
                    continue
                found["results"][name] = records
                found["seconds"][name] = round(time.monotonic() - began, 1)
                print(terminal_table(f"{name}: {ROWS[name]}", records), end="\n\n", flush=True)
    print_end(found)
    if args.json:
        results = {name: [to_dict(r) for r in records] for name, records in found["results"].items()}
        args.json.write_text(json.dumps({**found, "results": results}, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        write_document(args.markdown, found)
    return int(failed)


def put_together(files: list[Path], names: list[str]) -> dict[str, Any]:
    """What several runs on one machine measured, in the order of the benchmarks; a later file stands over an earlier one.

    ValueError where a file is something else.
    """
    found: dict[str, Any] = {}
    results: dict[str, list[Record]] = {}
    seconds: dict[str, float] = {}
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            results |= {name: [from_dict(r) for r in content["results"][name]] for name in content["results"]}
            seconds |= content["seconds"]
            found = {**content, "seconds": seconds, "quick": content["quick"] or found.get("quick", False)}
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise ValueError(f"{file} was not written by --json ({type(error).__name__})") from None
    return {**found, "results": {name: results[name] for name in ROWS if name in results and name in (names or ROWS)}}


def print_end(found: dict[str, Any]) -> None:
    """The machine, the versions, and what was missed."""
    print(textwrap.fill("; ".join(f"{name} {value}" for name, value in found["machine"].items()), WIDTH))
    took = ", ".join(f"{name} {seconds:.0f}" for name, seconds in found["seconds"].items())
    print(textwrap.fill(f"seconds: {took}", WIDTH))
    if found["quick"]:
        print("a quick run: few and small samples")
    if lines := [f"{name}: {what}" for name, records in found["results"].items() for what in missed(records)]:
        print(textwrap.fill("not reached: " + "; ".join(lines), WIDTH))


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 a benchmark failed, 2 wrong use, 130 Ctrl-C."""
    args = parse(arguments)
    if args.list:
        width = max(map(len, ROWS))
        print("\n".join(f"{name:{width}}  {what}" for name, what in ROWS.items()))
        return 0
    try:
        return run(args)
    except KeyboardInterrupt:
        print("benchmarks: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

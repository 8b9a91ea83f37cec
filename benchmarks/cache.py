"""Preparing the same photographs again."""

from __future__ import annotations

import shutil
import sys
import time

from benchmarks.photographs import photographs
from benchmarks.processes import environment, run
from benchmarks.records import MILLISECONDS, Condition, Record
from benchmarks.rows import Plan
from benchmarks.timing import Way, measure
from dataprep.cache import prepared_images
from dataprep.photograph import Preparation

_SIZE = 512
_FIRST, _AGAIN = "the first time", "again"
_MEMORY = """
import os, sys
from pathlib import Path
from benchmarks.processes import status_bytes
from dataprep.cache import prepared_images
from dataprep.photograph import Preparation

folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
paths = sorted(folder.glob("*.jpg"))[:1000]
prepared_images(paths[:8], Preparation(512), cache)
before = status_bytes(os.getpid(), "VmRSS")
images = prepared_images(paths, Preparation(512), cache)
print((status_bytes(os.getpid(), "VmRSS") - before) / 1e6)
"""


def benchmark(plan: Plan) -> list[Record]:
    """Milliseconds for all photographs, and the growth of a process that opens 1,000 prepared images."""
    paths = photographs(plan.folder, plan.rounds(200, 32))
    kept, fresh = plan.folder / "cache-kept", plan.folder / "cache-fresh"
    preparation = Preparation(_SIZE)

    def first() -> float:
        shutil.rmtree(fresh, ignore_errors=True)
        began = time.perf_counter()
        prepared_images(paths, preparation, fresh)
        return time.perf_counter() - began

    def again() -> None:
        prepared_images(paths, preparation, kept)

    again()
    samples = measure([Way(_FIRST, first), Way(_AGAIN, again)], plan.rounds(5, 2), least=0.05)
    records: list[Record] = [
        samples.faster(_AGAIN, _FIRST, MILLISECONDS, 100, f"{_AGAIN}, {len(paths)} photographs of 3900x3072")
    ]

    small = photographs(plan.folder, 1000, size=(640, 512))
    folder = plan.folder / "cache-memory"
    prepared_images(small[:8], preparation, folder)
    prepared_images(small, preparation, folder)
    grown = run([sys.executable, "-c", _MEMORY, str(small[0].parent), str(folder)], plan.folder, environment())
    records.append(Condition("memory for 1,000 images until they are used", float(grown.out), "MB", "at most", 10))
    shutil.rmtree(folder)
    shutil.rmtree(fresh)
    shutil.rmtree(kept)
    return records

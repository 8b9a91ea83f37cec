"""Timings, peak memory and exactness, each against a named baseline in the same run: `python -m benchmarks`."""

"""Inputs that nobody meant: Hypothesis tries every reader of the platform and of the template's checkpoints."""

from __future__ import annotations

import random
import time
import warnings

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from stress.counts import Counts, Plan
from stress.targets import TARGETS, run_target


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Bytes at random, texts, and examples of what the target reads with pieces of them changed, doubled or left out."""
    examples = TARGETS[name][1]
    texts = st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(
        st.binary(max_size=300),
        texts,
        st.builds(_spoil, st.sampled_from(examples), st.integers(0), st.integers(1, 6), texts),
    )


def _spoil(example: bytes, number: int, times: int, text: bytes) -> bytes:
    chance, content = random.Random(number), example
    for _ in range(times):
        at = chance.randrange(len(content) + 1)
        until = min(len(content), at + chance.randrange(12))
        match chance.randrange(5):
            case 0:
                content = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
            case 1:
                content = content[:at] + content[until:]
            case 2:
                content = content[:until] + content[at:until] * chance.randrange(1, 40) + content[until:]
            case 3:
                content = content[:at] + text + content[at:]
            case _:
                odd = (b"1e999", b"-1", b"null", b"9" * 5000, b"[" * 5000, b"NaN", b'"\\ud800"', b"{}", b"\x00", b"\r")
                content = content[:at] + chance.choice(odd) + content[until:]
    return content


def prove(plan: Plan) -> Counts:
    """Try `times` inputs, spread over all targets."""
    counts = Counts()
    began, share = time.monotonic(), plan.seconds / len(TARGETS)
    for number, name in enumerate(TARGETS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _try(name, plan, counts, began + share * (number + 1))
        except Exception as error:
            notes = " ".join(getattr(error, "__notes__", [])).replace("\n", " ")
            counts.losses.append(f"{name}: {type(error).__name__}: {error} {notes[:400]}")
    counts.done["targets"] = len(TARGETS)
    return counts


def _try(name: str, plan: Plan, counts: Counts, until: float) -> None:
    """A target's share of the inputs, each tried until the monotonic clock shows `until`."""

    @seed(plan.seed)
    @settings(
        max_examples=max(1, plan.times // len(TARGETS)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(content=inputs(name))
    def read(content: bytes) -> None:
        if time.monotonic() > until:
            return
        counts.done["inputs"] += 1
        started = time.monotonic()
        if wrong := run_target(name, content, plan.folder / "target"):
            raise AssertionError(wrong)
        took = time.monotonic() - started
        counts.check(took < 5, f"{name}: {took:.0f} s for {content[:200]!r}")

    run_target(
        name, TARGETS[name][1][0], plan.folder / "target"
    )  # which imports what it needs, and may take its time for that
    read()

"""What is told while an installer works."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml.engine.install_progress import Watch, follow


def test_of_a_download_the_share_the_rate_and_the_time_left_are_told() -> None:
    watch = Watch(0.0)
    watch.take("Collecting lens", 1.0)
    watch.take("  Downloading lens-1.0.whl (100 MB)", 2.0)
    watch.take("Progress 0 of 100000000", 2.0)
    watch.take("Progress 40000000 of 100000000", 22.0)
    wanted = (
        "installing for 22 seconds: Downloading lens-1.0.whl (100 MB), 40.0 MB of 100 MB, 2.0 MB/s, 30 seconds left"
    )
    assert watch.progress(22.0) == wanted


def test_a_download_that_is_over_is_told_of_no_more() -> None:
    watch = Watch(0.0)
    watch.take("Progress 10 of 10", 1.0)
    watch.take("Installing collected packages: lens", 61.0)
    assert watch.progress(62.0) == "installing for 1 minute: Installing collected packages: lens"


def test_what_is_no_step_is_kept_and_not_told() -> None:
    watch = Watch(0.0)
    for line in ("Installing collected packages: lens", "  Can't uninstall 'lens'. No files were found to uninstall."):
        watch.take(line, 1.0)
    assert watch.progress(10.0) == "installing for 10 seconds: Installing collected packages: lens"
    assert len(watch.lines) == 2


def test_before_the_installer_says_anything_the_time_is_told() -> None:
    assert Watch(5.0).progress(17.0) == "installing for 12 seconds"


@given(st.lists(st.one_of(st.text(), st.from_regex(r"Progress \d+ of \d+", fullmatch=True)), max_size=6))
def test_whatever_an_installer_prints_one_plain_line_is_told(lines: list[str]) -> None:
    watch = Watch(0.0)
    for number, line in enumerate(lines):
        watch.take(line, float(number))
    told = watch.progress(10.0)
    assert told.startswith("installing for 10 seconds") and len(told.splitlines()) == 1 and "\x1b" not in told


def test_an_installer_is_told_of_while_it_works_and_all_that_it_printed_is_kept() -> None:
    script = "import sys, time; print('Building lens', flush=True); print('slow', file=sys.stderr); time.sleep(1); sys.exit(3)"
    told: list[str] = []
    done = follow([sys.executable, "-c", script], {}, told.append, timeout=60, every=0.2)
    assert done.returncode == 3
    assert sorted(done.stdout.splitlines()) == ["Building lens", "slow"]
    assert re.fullmatch(r"installing for \d+ seconds?: Building lens", told[-1])


def test_an_installer_that_is_soon_over_is_not_told_of() -> None:
    told: list[str] = []
    follow([sys.executable, "-c", "print('done')"], {}, told.append, timeout=60)
    assert told == []


def test_an_installer_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        follow([sys.executable, "-c", "import time; time.sleep(60)"], {}, print, timeout=0.5)

"""The progress of an installation."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml.engine.install_progress import Watch, follow


def test_a_download_is_shown_with_share_rate_and_remaining_time() -> None:
    watch = Watch(0.0)
    watch.take("Collecting lens", 1.0)
    watch.take("  Downloading lens-1.0.whl (100 MB)", 2.0)
    watch.take("Progress 0 of 100000000", 2.0)
    watch.take("Progress 40000000 of 100000000", 22.0)
    wanted = (
        "installing for 22 seconds: Downloading lens-1.0.whl (100 MB), 40.0 MB of 100 MB, 2.0 MB/s, 30 seconds left"
    )
    assert watch.progress(22.0) == wanted


def test_a_finished_download_is_no_longer_shown() -> None:
    watch = Watch(0.0)
    watch.take("Progress 10 of 10", 1.0)
    watch.take("Installing collected packages: lens", 61.0)
    assert watch.progress(62.0) == "installing for 1 minute: Installing collected packages: lens"


def test_lines_that_are_no_steps_are_stored_but_not_shown() -> None:
    watch = Watch(0.0)
    for line in ("Installing collected packages: lens", "  Can't uninstall 'lens'. No files were found to uninstall."):
        watch.take(line, 1.0)
    assert watch.progress(10.0) == "installing for 10 seconds: Installing collected packages: lens"
    assert len(watch.lines) == 2


def test_the_time_is_shown_before_the_first_line_of_the_installer() -> None:
    assert Watch(5.0).progress(17.0) == "installing for 12 seconds"


@given(st.lists(st.one_of(st.text(), st.from_regex(r"Progress \d+ of \d+", fullmatch=True)), max_size=6))
def test_progress_is_one_plain_line_for_any_output_of_the_installer(lines: list[str]) -> None:
    watch = Watch(0.0)
    for number, line in enumerate(lines):
        watch.take(line, float(number))
    message = watch.progress(10.0)
    assert message.startswith("installing for 10 seconds") and len(message.splitlines()) == 1 and "\x1b" not in message


def test_progress_is_shown_during_an_installation_and_its_output_stored() -> None:
    script = "import sys, time; print('Building lens', flush=True); print('slow', file=sys.stderr); time.sleep(2); sys.exit(3)"
    lines: list[str] = []
    done = follow([sys.executable, "-c", script], {}, lines.append, timeout=60, every=0.2)
    assert done.returncode == 3
    assert sorted(done.stdout.splitlines()) == ["Building lens", "slow"]
    assert re.fullmatch(r"installing for \d+ seconds?: Building lens", lines[-1])


def test_a_short_installation_shows_no_progress() -> None:
    lines: list[str] = []
    follow([sys.executable, "-c", "print('done')"], {}, lines.append, timeout=60)
    assert lines == []


def test_an_installer_that_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        follow([sys.executable, "-c", "import time; time.sleep(60)"], {}, print, timeout=0.5)

"""What a session may use: `run -g -c --memory`, and `run -i`."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait, start_for_ctrl_c, wait_until, with_gpus
from hypothesis import given
from hypothesis import strategies as st

from nsml.engine.memory import MemoryWatch
from nsml.engine.resources import parse_size
from nsml.errors import NsmlError
from nsml.store.home import open_home
from nsml.store.sessions import list_sessions


@given(st.integers(1, 10**15))
def test_a_number_of_bytes_is_itself(size: int) -> None:
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("24G", 24e9), ("12g", 12e9), ("512M", 512e6), ("1.5GB", 1.5e9), ("8 GiB", 8e9), ("24000000000", 24e9)],
)
def test_sizes_are_written_as_on_the_platform(text: str, size: float) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "1X", "1,5G", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(NsmlError):
        parse_size(text)


def test_a_session_that_grows_past_its_memory_is_ended_and_says_so(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "grow.py").write_text(
        "import subprocess, sys\n"
        "code = 'x = bytearray(300_000_000); import time; time.sleep(60)'\n"
        "subprocess.run([sys.executable, '-c', code])\n"
    )
    name = start_and_wait(nsml, "-e", "grow.py", "--memory", "200M")
    assert "more than --memory 0.20 GB; give a smaller batch size" in nsml("logs", name).out
    assert "Failed (memory)" in nsml("ps", "-a").out


def test_the_most_memory_of_a_session_is_noted(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "grow.py").write_text("x = b'1' * 300_000_000")
    name = start_and_wait(nsml, "-e", "grow.py")
    (row,) = json.loads(nsml("ps", "-a", "-j").out)
    assert 300_000_000 < row["peak_memory"] < 500_000_000
    assert re.search(r", at most 3\d\d MB of memory, after [\d.]+ seconds$", nsml("logs", name).out.rstrip())


def test_the_message_on_a_killed_program_names_memory_and_the_fix(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "kill.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    log = nsml("logs", start_and_wait(nsml, "-e", "kill.py")).out
    assert re.search(r"for lack of memory: it had used [\d.]+ MB of the [\d.]+ [GT]B that", log)
    assert "smaller batch size" in log and "Failed (signal 9)" in nsml("ps", "-a").out


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Stands for the files of a kernel in which a container has 2 GB; sets how many processes were killed for memory there and in all."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (groups / "pod").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/pod/there/deeper\n")
    (groups / "pod" / "memory.max").write_text("2000000000\n")
    monkeypatch.setattr("nsml.engine.memory._PROC", proc)
    monkeypatch.setattr("nsml.engine.memory._CGROUPS", groups)

    def set_kills(here: int, anywhere: int) -> None:
        (groups / "pod" / "memory.events").write_text(f"low 0\noom 9\noom_kill {here}\n")
        (proc / "vmstat").write_text(f"pgfault 7\noom_kill {anywhere}\n")

    set_kills(1, 1)
    return set_kills


@pytest.mark.parametrize(
    ("code", "here", "anywhere", "said", "sure"),
    [
        (-9, 2, 2, "killed the program, since memory ran out", True),
        (-9, 1, 2, "killed the program, since memory ran out", True),
        (-9, 1, 1, "killed from outside", False),
        (1, 2, 2, "killed a process that the program started", True),
        (1, 1, 2, "", False),  # another's
        (-11, 1, 1, "", False),
        (0, 2, 2, "", False),
    ],
)
def test_the_kernels_count_tells_whether_memory_ended_a_program(
    kernel: Callable[[int, int], None], code: int, here: int, anywhere: int, said: str, sure: bool
) -> None:
    watch = MemoryWatch()
    kernel(here, anywhere)
    why, is_sure = watch.why_it_ended(code)
    assert is_sure == sure and (said in why and "2.0 GB that this container" in why if said else not why)


def test_a_session_uses_no_more_processors_than_it_was_given(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "cpus.py").write_text("import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])")
    assert nsml("logs", start_and_wait(nsml, "-e", "cpus.py", "-c", "1")).out.startswith("1 1\n")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="this machine has one processor")
def test_two_sessions_at_once_have_processors_of_their_own(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    (project / "cpus.py").write_text(
        "import os, pathlib, time\n"
        "print('on', *os.sched_getaffinity(0), flush=True)\n"
        f"while not pathlib.Path({str(tmp_path / 'end')!r}).exists(): time.sleep(0.05)\n"
    )
    names = [nsml("run", "-d", dataset, "-e", "cpus.py", "-c", "1").out.split()[1] for _ in range(2)]

    def where(name: str) -> str:
        return next((line for line in nsml("logs", name).out.splitlines() if line.startswith("on ")), "")

    wait_until(lambda: all(map(where, names)))
    assert where(names[0]) != where(names[1])
    (tmp_path / "end").touch()
    for name in names:
        nsml("logs", "-f", name)


def test_no_gpu_is_visible_where_none_was_asked_for(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "gpus.py").write_text("import os, nsml; print(repr(os.environ['CUDA_VISIBLE_DEVICES']), nsml.GPU_NUM)")
    assert nsml("logs", start_and_wait(nsml, "-e", "gpus.py", "-g", "0")).out.startswith("'' 0\n")


def test_a_program_shares_the_memory_of_a_gpu_by_default(
    nsml: Nsml, dataset: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "memory.py").write_text("import os; print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])")
    assert nsml("logs", start_and_wait(nsml, "-e", "memory.py")).out.startswith("true\n")
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    assert nsml("logs", start_and_wait(nsml, "-e", "memory.py")).out.startswith("false\n")


def test_a_machine_without_a_gpu_runs_what_asks_for_one_and_says_so(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    (project / "gpus.py").write_text("import nsml; print(nsml.GPU_NUM)")
    started = nsml("run", "-d", dataset, "-e", "gpus.py", "-g", "1", PATH=with_gpus(tmp_path / "bin", 0))
    assert started.status == 0 and "warning: -g 1: this machine has no GPU" in started.err
    assert nsml("logs", "-f", "FUNDUS/1").out.startswith("0\n")


def test_more_processors_than_there_are_is_said(nsml: Nsml, project: Path) -> None:
    (project / "quick.py").write_text("")
    here = len(os.sched_getaffinity(0))
    started = nsml("run", "-e", "quick.py", "-c", "5000")
    assert f"warning: -c 5000: this machine has {here} processors; the session takes them all" in started.err


def test_an_interactive_session_is_followed_and_removed(nsml: Nsml, dataset: str) -> None:
    shown = nsml("run", "main.py", "-i", "-d", dataset)
    assert shown.out.splitlines()[:3] == ["Session tester/FUNDUS/1 is started", "epoch 0", "epoch 1"]
    assert list_sessions(open_home()) == []


def test_an_interactive_session_that_fails_ends_with_status_1(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "bad.py").write_text("raise SystemExit(3)")
    ended = nsml("run", "bad.py", "-i", "-d", dataset)
    assert ended.status == 1 and "failed with exit status 3" in ended.err


def test_ctrl_c_stops_an_interactive_session(nsml: Nsml, dataset: str, project: Path, tmp_path: Path) -> None:
    (project / "sleep.py").write_text("import time; print('on', flush=True); time.sleep(60)")
    command = [sys.executable, "-m", "nsml", "run", "sleep.py", "-i", "-d", dataset]
    started = start_for_ctrl_c(command, project, tmp_path / "out")
    wait_until(lambda: "on" in (tmp_path / "out").read_text().split())
    (session,) = list_sessions(open_home())
    program = session.state()["program"]
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130
    assert "\nSession tester/FUNDUS/1 is stopped and removed\n" in (tmp_path / "out").read_text()
    assert list_sessions(open_home()) == []
    wait_until(lambda: not Path(f"/proc/{program}").exists())


@pytest.mark.parametrize(("ends", "why"), [("lose", "was lost: its supervisor ended"), ("stop", "was stopped")])
def test_an_interactive_session_that_is_lost_or_stopped_elsewhere_is_removed_and_fails(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path, ends: str, why: str
) -> None:
    (project / "sleep.py").write_text("import time; print('on', flush=True); time.sleep(60)")
    command = [sys.executable, "-m", "nsml", "run", "sleep.py", "-i", "-d", dataset]
    with open(tmp_path / "out", "wb") as out:
        started = subprocess.Popen(command, cwd=project, stdout=out, stderr=out)
    wait_until(lambda: "on" in (tmp_path / "out").read_text().split())
    (session,) = list_sessions(open_home())
    if ends == "lose":
        os.kill(session.state()["process"]["pid"], signal.SIGKILL)
    else:
        nsml("stop", "-f", "FUNDUS/1")
    assert started.wait(60) == 1
    assert f"nsml: session tester/FUNDUS/1 {why}" in (tmp_path / "out").read_text()
    assert list_sessions(open_home()) == []

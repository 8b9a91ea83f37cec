"""`nsml exec` and `nsml infer`."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait, wait_until, write_photograph

from nsml.errors import RunFailed
from nsml.session import answering
from nsml.store.home import open_home
from nsml.store.sessions import create_session

REPORTS = """
import time, nsml
rate = 0.25
def train():
    epoch = 3
    weights = [1, 2, 3]
    nsml.report(step=epoch, scope=locals(), loss=1.0)
    print("reported", flush=True)
    time.sleep(60)
train()
"""


@pytest.fixture
def running(nsml: Nsml, dataset: str, project: Path) -> str:
    (project / "reports.py").write_text(REPORTS)
    nsml("run", "-d", dataset, "-e", "reports.py")
    wait_until(lambda: "reported" in nsml("logs", "FUNDUS/1").out)
    return "FUNDUS/1"


def test_exec_evaluates_over_the_last_reported_scope(nsml: Nsml, running: str) -> None:
    assert nsml("exec", running, "epoch, sum(weights)").out == "(3, 6)\n"
    nsml("stop", "-f", running)


def test_an_expression_that_fails_is_one_line_and_leaves_the_session_running(nsml: Nsml, running: str) -> None:
    failed = nsml("exec", running, "no_such_name")
    assert failed.status == 1 and "NameError" in failed.err and len(failed.err.splitlines()) == 1
    assert nsml("exec", running, "epoch").out == "3\n"
    nsml("stop", "-f", running)


def test_an_expression_that_exits_ends_neither_the_session_nor_exec(nsml: Nsml, running: str) -> None:
    failed = nsml("exec", running, "exit(3)")
    assert failed.status == 1 and "SystemExit: 3" in failed.err
    assert nsml("exec", running, "epoch").out == "3\n"
    nsml("stop", "-f", running)


# While an exception waits for a thread that is in C, CPython 3.11 repeats the first instruction of every traced function for ever.
TRACED = pytest.mark.skipif(
    sys.gettrace() is not None and sys.version_info < (3, 12), reason="coverage traces this process in Python 3.11"
)


@pytest.mark.parametrize(
    "ends", ["sum(1 for _ in iter(int, 1))", pytest.param("__import__('time').sleep(90)", marks=TRACED)]
)
def test_an_expression_that_never_ends_is_given_up_and_the_next_is_evaluated(
    home: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(answering, "LONGEST", 0.3)
    session = create_session(open_home(), "tester", "FUNDUS", {"entry": "main.py", "arguments": []})
    answering.serve_in_background(answering.listen(session), lambda expression: repr(eval(expression)))
    with pytest.raises(RunFailed, match=f"{session.name}: it takes more than 0 seconds and is given up"):
        answering.ask(session, ends)
    monkeypatch.setattr(answering, "LONGEST", 30.0)
    assert answering.ask(session, "1 + 1") == "2"
    if "iter" in ends:
        wait_until(lambda: not any(thread.name == "nsml-exec-expression" for thread in threading.enumerate()))


def test_the_socket_is_for_its_owner_only(nsml: Nsml, running: str, home: Path) -> None:
    folder = home / "sessions" / "tester" / "FUNDUS" / "1" / "answers"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "socket").stat().st_mode & 0o077 == 0
    nsml("stop", "-f", running)


def test_a_session_that_has_ended_cannot_be_asked(nsml: Nsml, trained: str) -> None:
    refused = nsml("exec", trained, "1")
    assert refused.status == 1 and "has ended" in refused.err


def _infer(project: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nsml", "infer", name, "best"]
    return subprocess.run(command, cwd=project, input=text, capture_output=True, text=True, timeout=120)


def test_infer_answers_a_line_with_what_the_program_answers(
    nsml: Nsml, trained: str, project: Path, tmp_path: Path
) -> None:
    write_photograph(tmp_path / "seven.png", 7)
    answered = _infer(project, trained, f"{tmp_path / 'seven.png'}\n{tmp_path / 'seven.png'}\n")
    assert answered.stdout == "[3]\tDMR\n[3]\tDMR\n"


def test_infer_leaves_no_session_behind(nsml: Nsml, trained: str, project: Path) -> None:
    _infer(project, trained, "")
    assert [line.split()[0] for line in nsml("ps", "-a").out.splitlines()[1:]] == [trained]


def test_a_program_that_ends_before_paused_says_so_at_infer(
    nsml: Nsml, trained: str, project: Path, home: Path
) -> None:
    (home / "sessions" / trained / "code" / "main.py").write_text("import argparse\nprint('--mode --pause')")
    failed = _infer(project, trained, "x\n")
    assert failed.returncode == 1 and "ended before its first answer" in failed.stderr


def test_infer_goes_on_after_an_input_that_fails_and_keeps_what_the_program_printed(
    nsml: Nsml, project: Path, dataset: str
) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(
        program.replace(
            "        return [int", "        print('서울')\n        assert data != ['bad']\n        return [int"
        )
    )
    name = start_and_wait(nsml)
    answered = _infer(project, name, "[]\nbad\n[]\n")
    assert answered.stdout.splitlines() == ["[]", "[]"] and answered.returncode == 1
    assert "AssertionError (main.py, line 19)" in answered.stderr
    assert "서울" in nsml("logs", "FUNDUS/2").out


def test_clients_that_say_nothing_or_half_or_too_much_keep_nobody_waiting(nsml: Nsml, running: str, home: Path) -> None:
    os.chdir(home / "sessions" / "tester" / "FUNDUS" / "1" / "answers")
    path = "socket"
    with contextlib.ExitStack() as clients:
        for sent in (b"", b'{"ask": "ep', b"\n", b"no JSON\n", b"[]\n"):
            client = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.connect(path)
            client.sendall(sent)
        gone = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        gone.connect(path)
        gone.sendall(b'{"ask": "epoch"}\n' * 1000)
        gone.close()
        assert nsml("exec", running, "epoch").out == "3\n"
    nsml("stop", "-f", running)

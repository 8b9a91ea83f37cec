"""Nothing that a session starts goes on unseen: `stop`, a program's end, a killed supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from helpers import Nsml, lose, start_and_wait, start_for_ctrl_c, wait_until

from nsml.engine import control_group
from nsml.engine.control_group import kill_group, make_group
from nsml.engine.launch import resume_session, start_session
from nsml.engine.program import Program, end_program, start_program
from nsml.store.home import open_home
from nsml.store.launches import write_launch
from nsml.store.names import SessionName
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session, find_session, list_sessions

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")

# It hears no SIGTERM, and leaves behind a process that hears none either, in another session, of another parent, with its ENVIRONMENT.
STUBBORN = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
hidden = '''
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", os.getpid(), flush=True)
open("said", "w").close()
time.sleep(90)
'''
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, "-S", "-c", hidden], ENVIRONMENT)
    os._exit(0)
os.wait()
# Where it ended sooner, what it leaves behind would be ended before it has said anything.
while not os.path.exists("said"):
    time.sleep(0.01)
time.sleep(WAITS)
"""


def start_stubborn(nsml: Nsml, project: Path, environment: str = "{}", waits: int = 90) -> tuple[Session, int]:
    """A session that runs, and the number of the process that hides from it."""
    (project / "stubborn.py").write_text(STUBBORN.replace("ENVIRONMENT", environment).replace("WAITS", str(waits)))
    assert nsml("run", "-d", "FUNDUS", "-e", "stubborn.py").status == 0
    (session,) = list_sessions(open_home())
    wait_until(lambda: session.log.exists() and "here" in session.log.read_text())
    return session, int(session.log.read_text().split("here ")[1].split()[0])


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


@LINUX
def test_stop_ends_a_program_that_ignores_it_and_what_hides_from_it(nsml: Nsml, dataset: str, project: Path) -> None:
    session, hidden = start_stubborn(nsml, project)
    program = session.state()["program"]
    assert nsml("stop", "-f", "FUNDUS/1").status == 0
    assert session.status() == "Stopped"
    assert is_gone(program)
    assert is_gone(hidden)


@LINUX
def test_what_a_program_leaves_behind_ends_with_it(nsml: Nsml, dataset: str, project: Path) -> None:
    session, hidden = start_stubborn(nsml, project, waits=0)
    wait_until(lambda: session.status() == "Exited")
    assert is_gone(hidden)


@LINUX
def test_a_killed_supervisor_takes_its_program_with_it(nsml: Nsml, dataset: str, project: Path) -> None:
    session, _ = start_stubborn(nsml, project, "os.environ")
    state = session.state()
    os.kill(state["process"]["pid"], signal.SIGKILL)
    wait_until(lambda: is_gone(state["program"]))
    assert session.status() == "Lost"
    nsml("stop", "-f", "FUNDUS/1")


@LINUX
@pytest.mark.parametrize(("command", "environment"), [("stop", "os.environ"), ("stop", "{}"), ("rm", "{}")])
def test_what_a_lost_session_left_behind_is_ended(
    nsml: Nsml, dataset: str, project: Path, command: str, environment: str
) -> None:
    session, hidden = start_stubborn(nsml, project, environment)
    reads = psutil.Popen(["tail", "-f", str(session.log)], stdout=subprocess.DEVNULL)
    os.kill(session.state()["process"]["pid"], signal.SIGKILL)
    wait_until(lambda: session.status() == "Lost")
    assert not is_gone(hidden)
    ended = nsml(command, "-f", "FUNDUS/1")
    assert ended.status == 0
    assert is_gone(hidden)
    assert not is_gone(reads.pid)
    reads.kill()
    reads.wait()
    if command == "stop":
        assert "tester/FUNDUS/1 was lost; 1 of its processes were still running and are stopped" in ended.out


def test_a_session_that_a_session_started_is_not_ended_with_it(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "starts.py").write_text(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'nsml', 'run', '-d', 'FUNDUS', '-e', 'waits.py'], check=True)\n"
    )
    (project / "waits.py").write_text("import time; print('on', flush=True); time.sleep(90)")
    start_and_wait(nsml, "-e", "starts.py")
    (_, second) = list_sessions(open_home())
    wait_until(lambda: second.log.exists() and "on" in second.log.read_text())
    assert second.status() == "Running"
    nsml("stop", "-f", "FUNDUS/2")


@LINUX
def test_a_submit_that_is_killed_leaves_nothing_running_and_does_not_count(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    program = (project / "main.py").read_text()
    waits = "import time; print('infers', os.getpid(), flush=True); time.sleep(90)"
    (project / "main.py").write_text(program.replace("return [int(", f"{waits}; return [int("))
    name = start_and_wait(nsml)
    output = tmp_path / "out"
    started = start_for_ctrl_c([sys.executable, "-m", "nsml", "submit", "-v", name, "best"], project, output)
    wait_until(lambda: "infers" in output.read_text())
    process = int(output.read_text().partition("infers ")[2].split()[0])
    started.kill()
    started.wait(30)
    wait_until(lambda: is_gone(process))
    assert "no submission on FUNDUS yet" in nsml("dataset", "board", dataset).err


def start_by_hand(folder: Path, code: str, seconds: float = 90) -> Program:
    """A program that this process starts, as the page starts one for each submit; it says when it is there, and waits."""
    folder.mkdir()
    (folder / "main.py").write_text(f"{code}\nopen('there', 'w').close(); import time; time.sleep({seconds})")
    session = Session(SessionName("tester", "none", 1), folder)
    write_launch(folder, open_home(), session, [], entry="main.py", arguments=[])
    program = start_program(folder, folder)
    wait_until((folder / "there").exists)
    return program


@LINUX
@pytest.mark.parametrize("ends", ["by itself", "by order"])
def test_the_end_of_one_program_leaves_all_else_alone_that_its_process_started(tmp_path: Path, ends: str) -> None:
    before = psutil.Popen(["sleep", "90"])
    leaves = "import os, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    leaves += (
        "        os.execve('/bin/sh', ['sh', '-c', 'echo $$ > orphan.new; mv orphan.new orphan; exec sleep 90'], {})\n"
    )
    leaves += "    os._exit(0)\nwhile not os.path.exists('orphan'):\n    pass"
    one = start_by_hand(tmp_path / "one", leaves, 0.2 if ends == "by itself" else 90)
    other = start_by_hand(tmp_path / "other", "")
    after = psutil.Popen(["sleep", "90"])
    orphan = int((tmp_path / "one" / "orphan").read_text())
    if ends == "by order":
        end_program(one)
    assert one.wait(20) == (0 if ends == "by itself" else -signal.SIGTERM)
    assert is_gone(orphan)
    assert not any(is_gone(process.pid) for process in (before, after, *other.family()))
    end_program(other)
    for process in (before, after):
        process.kill()
        process.wait()


@LINUX
def test_a_session_that_is_started_or_resumed_is_at_once_known_as_one(nsml: Nsml, trained: str, project: Path) -> None:
    # What is below a program that ends is killed, but for supervisors, which are known by what they have written.
    session = find_session(open_home(), SessionName("tester", "FUNDUS", 1))
    resume_session(open_home(), session)
    (project / "waits.py").write_text("import time; time.sleep(90)")
    started, _ = start_session(open_home(), [], project, entry="waits.py", arguments=[])
    assert started.state()["process"] and session.state()["process"]
    nsml("stop", "-f", str(started.name))


@LINUX
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"])
def test_a_program_that_turns_on_its_keeper_ends_with_all_that_it_started(
    nsml: Nsml, dataset: str, project: Path, number: str
) -> None:
    (project / "turns.py").write_text(
        "import os, signal, subprocess, time\n"
        "left = subprocess.Popen(['sh', '-c', 'sleep 90; true'], env={}, start_new_session=True)\n"
        f"print('left', left.pid, flush=True); os.kill(os.getppid(), signal.{number}); time.sleep(90)"
    )
    nsml("run", "-d", dataset, "-e", "turns.py")
    (session,) = list_sessions(open_home())
    wait_until(lambda: session.log.exists() and "left" in session.log.read_text())
    if number == "SIGSTOP":
        assert nsml("stop", "-f", "FUNDUS/1").status == 0
    wait_until(lambda: session.status() in ("Failed", "Stopped"))
    assert is_gone(int(session.log.read_text().split()[1]))


@LINUX
def test_stop_ends_a_session_whose_program_has_stopped_its_supervisor(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "stops.py").write_text(
        "import os, psutil, signal, time\nkeeper = psutil.Process().parent()\nprint('stops', flush=True)\n"
        "for process in (keeper.parent(), keeper):\n    os.kill(process.pid, signal.SIGSTOP)\ntime.sleep(90)"
    )
    nsml("run", "-d", dataset, "-e", "stops.py")
    (session,) = list_sessions(open_home())
    supervisor = psutil.Process(session.state()["process"]["pid"])
    wait_until(lambda: supervisor.status() == psutil.STATUS_STOPPED)
    program = session.state().get("program")
    assert nsml("stop", "-f", "FUNDUS/1").status == 0
    assert session.status() == "Stopped"
    assert program is None or is_gone(program)


@pytest.fixture
def grouped() -> None:
    """Skips the test where programs have no control group."""
    group = make_group(open_home())
    if group is None:
        pytest.skip("this user can make no control group here")
    kill_group(group)
    assert not group.exists()


# Of no parent, another session, no environment and no log, and with another process id each few milliseconds.
FORKS = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 100)
    os.chdir(os.path.dirname(os.path.abspath(sys.argv[0])))
    while True:
        if os.fork():
            os._exit(0)
        with open("beats", "a") as beats:
            beats.write(".")
while not os.path.exists("beats"):
    time.sleep(0.01)
"""


def beats_no_more(folder: Path) -> bool:
    beats = folder / "beats"
    before = beats.stat().st_size
    # If it lives it beats some hundred times in so long.
    time.sleep(0.5)
    return beats.stat().st_size == before


@LINUX
def test_what_forks_faster_than_it_is_killed_ends_with_its_program(
    nsml: Nsml, dataset: str, project: Path, grouped: None
) -> None:
    (project / "forks.py").write_text(FORKS)
    start_and_wait(nsml, "-e", "forks.py")
    (session,) = list_sessions(open_home())
    assert session.status() == "Exited"
    wait_until(lambda: beats_no_more(session.work))


@LINUX
def test_what_hides_in_every_way_is_ended_by_the_group_of_a_lost_session(
    nsml: Nsml, dataset: str, project: Path, grouped: None
) -> None:
    (project / "hides.py").write_text(f"{FORKS}time.sleep(90)\n")
    nsml("run", "-d", dataset, "-e", "hides.py")
    (session,) = list_sessions(open_home())
    wait_until((session.work / "beats").exists)
    wait_until(lambda: session.status() == "Running")
    group = Path(session.state()["group"])
    lose(session)
    assert "would not be found" not in nsml("doctor").out
    assert "was lost; " in nsml("stop", "FUNDUS/1").out
    wait_until(lambda: beats_no_more(session.work))
    assert not group.exists()


@LINUX
def test_a_submit_whose_program_kills_its_keeper_leaves_nothing(
    nsml: Nsml, dataset: str, project: Path, grouped: None
) -> None:
    leaves = "import signal, subprocess; subprocess.Popen(['sleep', '987654'], env={}, start_new_session=True)"
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(
        program.replace("return [int(", f"{leaves}; os.kill(os.getppid(), signal.SIGKILL); return [int(")
    )
    assert nsml("submit", start_and_wait(nsml), "best").status == 1
    assert not any("987654" in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


@LINUX
def test_what_hides_from_a_killed_submit_is_named_by_the_doctor_and_ended(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path, grouped: None
) -> None:
    hides = "import subprocess, time; subprocess.Popen(['sleep', '876543'], env={}, start_new_session=True)"
    program = (project / "main.py").read_text()
    waits = f"{hides}; print('infers', flush=True); time.sleep(90); return [int("
    (project / "main.py").write_text(program.replace("return [int(", waits))
    name, output = start_and_wait(nsml), tmp_path / "out"
    submit = start_for_ctrl_c([sys.executable, "-m", "nsml", "submit", "-v", name, "best"], project, output)
    wait_until(lambda: "infers" in output.read_text())
    submit.kill()
    submit.wait()
    (hidden,) = [
        process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", "876543"]
    ]
    looked = nsml("doctor")
    assert "processes of killed submits or lost sessions still run: nsml doctor --repair" in looked.out
    assert "processes of a killed submit or a lost session ended" in nsml("doctor", "--repair").out
    assert is_gone(hidden.pid)
    assert "still run" not in nsml("doctor").out


@LINUX
def test_where_a_program_had_no_group_stop_the_log_and_doctor_say_what_may_be_left(nsml: Nsml) -> None:
    session = create_session(open_home(), "tester", "none", {"entry": "main.py", "arguments": [], "kind": "run"})
    gone = identity() | {"pid": 1 << 22, "ticks": 0}  # above the largest number of a process
    for facts, is_said in (({}, True), ({"group": ""}, False), ({"process": gone | {"boot": "earlier"}}, False)):
        session.write_state("Running", **{"process": gone, "program": 1 << 22, **facts})
        assert ("would not be found" in nsml("doctor").out) == is_said
        assert ("would not be found" in nsml("stop", "none/1").err) == is_said
    assert session.log.read_text().count("would not be found") == 1


@pytest.mark.parametrize(
    ("group", "mount", "folder"),
    [
        ("0::/user.slice/a", "26 20 0:23 / {} rw - cgroup2 cgroup2 rw", "user.slice/a"),
        ("0::/docker/b/c", "26 20 0:23 /docker/b {} rw - cgroup2 cgroup rw", "c"),
        ("0::/", "41 31 0:38 / {} rw,relatime - cgroup2 cgroup2 rw", ""),
        ("0::/../d", "26 20 0:23 / {} rw - cgroup2 cgroup2 rw", None),
        ("0::/e", "26 20 0:23 /elsewhere {} rw - cgroup2 cgroup2 rw", None),
        ("4:memory:/f", "26 20 0:23 / {} rw - cgroup cgroup rw", None),
    ],
)
def test_a_group_is_made_below_that_of_the_process_and_only_where_all_of_it_can_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, mount: str, folder: str | None
) -> None:
    files = {"/proc/self/cgroup": f"12:cpu:/x\n{group}", "/proc/self/mountinfo": f"1 2 x\n{mount.format(tmp_path)}"}
    monkeypatch.setattr(
        control_group, "_lines", lambda path, text: [line for line in files[path].splitlines() if text in line]
    )
    assert control_group._own_group() == (None if folder is None else tmp_path / folder)
    if folder is not None:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "cgroup.procs").touch()
        assert make_group(open_home()) is None  # an invented folder has no cgroup.kill
        assert [path.name for path in (tmp_path / folder).iterdir()] == ["cgroup.procs"]

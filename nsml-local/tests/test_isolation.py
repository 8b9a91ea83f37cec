"""Programs of a home that holds a dataset pushed with --isolate: their environment, their files, and their processes."""

from __future__ import annotations

import contextlib
import http.server
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from helpers import PROGRAM, Nsml, make_dataset, start_and_wait, wait_until

from nsml.engine.isolation import NEWEST, isolate_build
from nsml.store.home import open_home
from nsml.store.sessions import list_sessions


def test_while_a_home_holds_an_isolated_dataset_a_session_without_a_dataset_reads_no_labels_either(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    looks = f"import os\nprint('SEEN', os.listdir({str(isolated)!r}), os.listdir({str(home / 'datasets')!r}))\n"
    (project / "main.py").write_text(looks)
    nsml("run")
    assert "SEEN [] []" in nsml("logs", "-f", "none/1").out


def test_an_isolated_program_sees_nothing_below_run_where_backups_may_lie(can_isolate: None, tmp_path: Path) -> None:
    command = isolate_build(open_home(), tmp_path, ["ls", "-A", "/run"])
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert os.listdir("/run") and set(seen) <= set(Path("/etc/resolv.conf").resolve().parts[2:])


def test_files_in_the_output_folder_of_an_isolated_session_are_stored(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    (project / "main.py").write_text(
        "import nsml, os\nopen(os.path.join(nsml.NSML_NFS_OUTPUT, 'kept.txt'), 'w').write('a week of work')\n"
    )
    start_and_wait(nsml)
    assert (home / "output" / "tester" / "kept.txt").read_text() == "a week of work"


def test_a_program_that_is_started_by_hand_beside_an_isolated_dataset_is_refused(
    python: Nsml, isolated: Path, project: Path
) -> None:
    refused = python("main.py")
    assert refused.status == 1
    assert "start it with 'nsml run'" in refused.err


def test_a_session_that_runs_already_holds_an_isolated_push_up(
    nsml: Nsml, project: Path, tmp_path: Path, can_isolate: None
) -> None:
    (project / "main.py").write_text("import time\ntime.sleep(600)\n")
    nsml("run")
    refused = nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "source")), "--isolate")
    nsml("stop", "-f", "none/1")
    assert refused.status == 1
    assert "session tester/none/1 is running without isolation" in refused.err
    assert nsml("dataset", "ls").out.count("FUNDUS") == 0


def test_an_isolated_program_is_given_no_secret_of_the_environment(nsml: Nsml, isolated: Path, project: Path) -> None:
    (project / "main.py").write_text("import os\nprint('GIVEN', *sorted(os.environ))\n")
    nsml("run", HF_TOKEN="secret", HIPCHAT="secret", NSML_WEB_TOKEN="secret", OMP_NUM_THREADS="1")
    given = nsml("logs", "-f", "none/1").out.split("GIVEN")[1].split()
    assert {"PATH", "NSML_HOME", "OMP_NUM_THREADS"} <= set(given)
    assert not {"HF_TOKEN", "HIPCHAT", "NSML_WEB_TOKEN"} & set(given)


def test_a_link_that_was_made_before_leads_no_isolated_program_to_the_labels(
    nsml: Nsml, home: Path, project: Path, tmp_path: Path, can_isolate: None
) -> None:
    hidden = home / "datasets" / "FUNDUS" / "hidden"
    (project / "main.py").write_text(
        "import json, os, shutil\nhere = json.load(open(os.environ['NSML_LAUNCH']))['session']\n"
        f"shutil.rmtree(here + '/checkpoints', True)\nos.symlink({str(hidden)!r}, here + '/checkpoints')\n"
    )
    nsml("run")
    nsml("logs", "-f", "none/1")
    nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "source")), "--isolate")
    looks = f"import os\nprint('SEEN', os.path.exists({str(home / 'sessions/tester/none/1/checkpoints/test')!r}))\n"
    (project / "main.py").write_text(looks)
    nsml("run")
    assert "SEEN False" in nsml("logs", "-f", "none/2").out


def test_the_cache_of_an_isolated_session_is_used_by_the_next(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    (project / "main.py").write_text(
        "import nsml\n\ndef prepare(output_path):\n    print('prepares')\n    open(output_path[0], 'w').write('for hours')\n\n"
        "nsml.cache(prepare, ['prepared.txt'])\nprint('has', open('prepared.txt').read())\n"
    )
    first, second = (nsml("logs", start_and_wait(nsml)).out for _ in range(2))
    assert "prepares" in first and "prepares" not in second
    assert "has for hours" in first and "has for hours" in second


REPORTS = (
    PROGRAM.replace('args.mode == "test"', 'args.mode in ("test", "report")')
    + """
if args.mode == "report":
    open(os.path.join(os.environ["NSML_REPORT"], "report.html"), "w").write("<p>all")
elif args.epoch == 3:
    nsml.report(step=9, scope=locals())
    import time
    time.sleep(90)
"""
)


def test_an_isolated_session_answers_exec_and_infer_and_writes_reports(
    nsml: Nsml, isolated: Path, project: Path
) -> None:
    (project / "main.py").write_text(REPORTS)
    name = start_and_wait(nsml)
    assert nsml("report", name).status == 0
    infer = [sys.executable, "-m", "nsml", "infer", name, "best"]
    answered = subprocess.run(infer, cwd=project, input="[]\n", capture_output=True, text=True, timeout=120)
    assert answered.stdout == "[]\n", answered.stderr
    nsml("run", "-d", "FUNDUS", "-a", "--epoch 3")
    running = str(list_sessions(open_home())[-1].name)
    wait_until(lambda: nsml("exec", running, "model['epoch']").out == "2\n")
    nsml("stop", "-f", running)


# In a process of no parent and another session that hears no SIGTERM, without its environment: counts in the output.
SURVIVOR = """\
import os, signal, sys, time
import nsml
beat = os.path.join(nsml.NSML_NFS_OUTPUT, "beat")
hidden = '''
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.closerange(0, 100)
while True:
    open(sys.argv[1], "a").write(".")
    time.sleep(0.02)
'''
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.execve(sys.executable, [sys.executable, "-S", "-c", hidden, beat], {})
    os._exit(0)
os.wait()
while not os.path.exists(beat):
    time.sleep(0.01)
for number in (1, os.getppid()):
    os.kill(number, signal.SIGSTOP)
time.sleep(WAITS)
"""


@pytest.mark.parametrize("ends", ["by itself", "by stop", "by a kill of its supervisor"])
def test_nothing_survives_an_isolated_program(nsml: Nsml, isolated: Path, project: Path, home: Path, ends: str) -> None:
    (project / "main.py").write_text(SURVIVOR.replace("WAITS", "0" if ends == "by itself" else "90"))
    beat = home / "output" / "tester" / "beat"
    nsml("run", "-d", "FUNDUS")
    (session,) = list_sessions(open_home())
    wait_until(lambda: beat.exists() and beat.stat().st_size > 0)
    if ends == "by stop":
        assert nsml("stop", "-f", str(session.name)).status == 0
    elif ends == "by a kill of its supervisor":
        os.kill(session.state()["process"]["pid"], signal.SIGKILL)
    wait_until(lambda: session.status() in ("Exited", "Stopped", "Lost"))
    wait_until(
        lambda: not any(str(beat) in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    )


# A build backend that looks for labels, and writes what it finds into the package.
BACKEND = """\
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    seen = []
    for top in TOPS:
        seen += [os.path.join(root, name) for root, _, names in os.walk(top) for name in names]
    for path in WRITES:
        try:
            open(path, "a").write("changed")
            seen.append(path)
        except OSError:
            pass
    with zipfile.ZipFile(os.path.join(folder, "tinyspy-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("tinyspy.py", f"SEEN = {seen!r}")
        info = "tinyspy-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tinyspy\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "tinyspy-1.0-py3-none-any.whl"
"""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the folder's files can be had."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_package_that_is_built_for_a_session_reads_no_labels_and_changes_nothing_outside(
    nsml: Nsml, isolated: Path, project: Path, home: Path, tmp_path: Path, installer: str
) -> None:
    writes = [sys.prefix + "/spy.pth", str(home / "user.json"), str(home / "sessions/tester/none/1/launch.json")]
    tops = [str(home / "datasets"), str(home / "sessions"), str(isolated)]
    files = {
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'tinyspy'\nversion = '1.0'\n",
        "PKG-INFO": "Metadata-Version: 2.1\nName: tinyspy\nVersion: 1.0\n",
        "backend.py": f"TOPS = {tops!r}\nWRITES = {writes!r}\n{BACKEND}",
    }
    (tmp_path / "served").mkdir()
    with tarfile.open(tmp_path / "served" / "tinyspy-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            facts = tarfile.TarInfo(f"tinyspy-1.0/{name}")
            facts.size = len(text)
            archive.addfile(facts, io.BytesIO(text.encode()))
    (project / "main.py").write_text("import tinyspy\nprint('SEEN', tinyspy.SEEN)\n")
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not Path(folder, "uv").exists()]
    beside = [str(Path(sys.executable).parent)] if installer == "uv" else []
    with served(tmp_path / "served") as address:
        (project / "requirements.txt").write_text(f"--no-index\ntinyspy @ {address}/tinyspy-1.0.tar.gz\n")
        nsml("run", PATH=os.pathsep.join([*beside, *folders]))
        log = nsml("logs", "-f", "none/1").out
    assert "SEEN []" in log
    assert ("with uv" in log) == (installer == "uv")


def test_where_bubblewrap_is_missing_or_old_an_isolated_push_and_every_start_are_refused(
    nsml: Nsml, isolated: Path, project: Path, tmp_path: Path
) -> None:
    (project / "main.py").write_text(REPORTS)
    name = start_and_wait(nsml)
    (tmp_path / "none").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "bwrap").write_text("#!/bin/sh\necho bubblewrap 0.4.1\n")
    (tmp_path / "old" / "bwrap").chmod(0o700)
    commands = [
        ("dataset", "push", "OTHER", str(make_dataset(tmp_path / "other")), "--isolate"),
        *[("run",), ("run", "-d", "FUNDUS"), ("submit", name, "best"), ("fork", name), ("resume", name)],
        *[("infer", name, "best"), ("report", name)],
    ]
    for command in commands:
        refused = nsml(*command, PATH=str(tmp_path / "none"))
        assert refused.status == 1, command
        assert "bubblewrap is not installed; 'sudo apt install bubblewrap'" in refused.err.splitlines()[-1], command
        old = f"{tmp_path / 'old'}:/usr/bin:/bin"
        assert "bubblewrap 0.4.1 is too old" in nsml(*command, PATH=old).err, command
    assert [str(session.name) for session in list_sessions(open_home())] == [name]


def test_of_many_sessions_a_program_sees_the_newest_and_those_that_it_names(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    name = start_and_wait(nsml)
    first = home / "sessions" / name
    os.utime(first / "checkpoints", (1, 1))
    for number in range(2, NEWEST + 3):
        shutil.copytree(first, first.with_name(str(number)))
        os.utime(first.with_name(str(number)) / "checkpoints", (number, number))
    tries = "import nsml, sys\nfor word in sys.argv[1:]:\n    nsml.load('best', load_fn=lambda p: print('has', word), session=word)\n"
    (project / "loads.py").write_text(tries)
    nsml("run", "-d", "FUNDUS", "-e", "loads.py", "-a", f"FUNDUS/{NEWEST + 2} FUNDUS/1")
    log = nsml("logs", "-f", f"FUNDUS/{NEWEST + 3}").out
    assert f"has FUNDUS/{NEWEST + 2}\nhas FUNDUS/1\n" in log
    (project / "loads.py").write_text(tries.replace("sys.argv[1:]", "['FUNDUS/' + chr(51)]"))
    nsml("run", "-d", "FUNDUS", "-e", "loads.py")
    log = nsml("logs", "-f", f"FUNDUS/{NEWEST + 4}").out
    assert "there is no session tester/FUNDUS/3" in log
    assert "an isolated program can load from the newest sessions of its user" in log

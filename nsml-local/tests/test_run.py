"""`nsml run`, `ps`, `logs`, `stop` and `model ls`."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Nsml, run_command, start_and_wait, start_for_ctrl_c, wait_until

from nsml.store.home import open_home
from nsml.store.sessions import list_sessions


def test_run_prints_the_name_of_the_session(nsml: Nsml, dataset: str) -> None:
    assert nsml("run", "-d", dataset).out == "Session tester/FUNDUS/1 is started\n"


def test_run_returns_while_the_program_still_runs(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "sleep.py").write_text("import time; time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "sleep.py")
    wait_until(lambda: "Running" in nsml("ps").out)
    nsml("stop", "-f", "FUNDUS/1")
    assert "Stopped" in nsml("ps", "-a").out


def test_the_log_holds_the_output_and_the_exit_status(nsml: Nsml, trained: str) -> None:
    lines = nsml("logs", trained).out.splitlines()
    assert lines[:2] == ["epoch 0", "epoch 1"] and lines[-1].startswith(f"Session {trained} ended with exit status 0")


def test_output_is_in_the_log_before_the_program_ends(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "slow.py").write_text("import time\nprint('first', end='')\ntime.sleep(60)")
    nsml("run", "-d", dataset, "-e", "slow.py")
    wait_until(lambda: nsml("logs", "FUNDUS/1").out == "first")
    nsml("stop", "-f", "FUNDUS/1")


def test_a_program_that_fails_is_shown_with_its_exit_status(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "bad.py").write_text("raise SystemExit(7)")
    name = start_and_wait(nsml, "-e", "bad.py")
    assert "Failed (7)" in nsml("ps", "-a").out
    assert nsml("logs", name).out.splitlines()[-1].startswith(f"Session {name} ended with exit status 7")


def test_a_program_that_is_killed_is_shown_with_the_signal(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "kill.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "signal 9 (SIGKILL)" in nsml("logs", start_and_wait(nsml, "-e", "kill.py")).out


def test_stop_ends_what_the_program_started(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "family.py").write_text(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    nsml("run", "-d", dataset, "-e", "family.py")
    wait_until(lambda: nsml("logs", "FUNDUS/1").out.strip().isdecimal())
    child = Path("/proc", nsml("logs", "FUNDUS/1").out.strip())
    nsml("stop", "-f", "FUNDUS/1")
    wait_until(lambda: not child.exists() or " Z " in (child / "stat").read_text())


def test_numbers_go_up_by_user_and_dataset(nsml: Nsml, dataset: str) -> None:
    assert nsml("run", "-d", dataset).out.split()[1] == "tester/FUNDUS/1"
    assert nsml("run", "-d", dataset).out.split()[1] == "tester/FUNDUS/2"
    assert nsml("run", "-d", dataset, NSML_USER="other").out.split()[1] == "other/FUNDUS/1"


def test_the_session_runs_on_a_copy_without_what_nsmlignore_names(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "show.py").write_text("import os; print(sorted(os.listdir()))")
    (project / "kept.txt").write_text("")
    (project / "big.bin").write_text("")
    (project / "data").mkdir()
    (project / "data" / "x").write_text("")
    (project / ".nsmlignore").write_text("*.bin\ndata/")  # without a final newline, as in many old projects
    shown = nsml("logs", start_and_wait(nsml, "-e", "show.py")).out
    assert shown.splitlines()[0] == "['.nsmlignore', 'kept.txt', 'main.py', 'show.py']"


def test_a_program_writes_into_a_folder_that_is_empty_in_the_project(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "logs" / "epochs").mkdir(parents=True)
    (project / "write.py").write_text("open('logs/epochs/1', 'w').close(); print('written')")
    assert nsml("logs", start_and_wait(nsml, "-e", "write.py")).out.startswith("written\n")


def test_a_change_after_run_does_not_reach_the_session(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "late.py").write_text("import time; time.sleep(0.5); import helper; print(helper.NAME)")
    (project / "helper.py").write_text("NAME = 'before'")
    nsml("run", "-d", dataset, "-e", "late.py")
    (project / "helper.py").write_text("NAME = 'after'")
    assert nsml("logs", "-f", "FUNDUS/1").out.startswith("before\n")


def test_secrets_and_links_out_of_the_folder_do_not_travel_and_are_named(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    secrets = (".env", ".env.local", ".envrc", ".netrc", ".pypirc")
    for name in secrets:
        (project / name).write_text("TOKEN=1")
    (project / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (project / "link").symlink_to("/etc/hostname")
    output = nsml("run", "-d", dataset).err
    assert all(f"left out: {name} (" in output for name in (*secrets, "key", "link"))
    (session,) = list_sessions(open_home())
    assert sorted(p.name for p in session.code.iterdir()) == ["main.py"]


def test_arguments_reach_the_program_as_a_shell_would_split_them(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "args.py").write_text("import sys; print(sys.argv[1:])")
    name = start_and_wait(nsml, "-e", "args.py", "-a", "--name 'two words'\n--x=\"\"")
    assert nsml("logs", name).out.splitlines()[0] == "['--name', 'two words', '--x=']"


def test_ps_shows_only_what_runs_unless_it_is_asked_for_all(nsml: Nsml, trained: str) -> None:
    assert trained not in nsml("ps").out
    assert trained in nsml("ps", "-a").out


def test_ps_shows_arguments_summary_and_memo(nsml: Nsml, dataset: str) -> None:
    start_and_wait(nsml, "-a", "--epoch 3", "-m", "첫 시도")
    line = nsml("ps", "-a").out.splitlines()[1]
    assert all(part in line for part in ("--epoch 3", "Exited", "step=2, train/loss=0.3333", "첫 시도"))


def test_ps_as_json_holds_the_same_for_programs(nsml: Nsml, trained: str) -> None:
    (row,) = json.loads(nsml("ps", "-a", "-j").out)
    assert (row["name"], row["status"], row["summary"]) == (trained, "Exited", {"step": 1, "train/loss": 0.5})


@pytest.mark.parametrize(
    ("options", "result"), [(("-s", "two"), 1), (("-n", "1"), 1), (("-d", "FUNDUS"), 2), (("-d", "X"), 0)]
)
def test_ps_narrows_down(nsml: Nsml, dataset: str, options: tuple[str, ...], result: int) -> None:
    start_and_wait(nsml, "-m", "one")
    start_and_wait(nsml, "-m", "two")
    assert len(json.loads(nsml("ps", "-a", "-j", *options).out)) == result


def test_model_ls_shows_the_checkpoints_in_the_order_of_saving(nsml: Nsml, dataset: str) -> None:
    name = start_and_wait(nsml, "-a", "--epoch 11")
    rows = json.loads(nsml("model", "ls", "-j", name).out)
    assert [row["checkpoint"] for row in rows] == [*map(str, range(11)), "best"]
    assert rows[3]["summary"] == {"step": 3, "train/loss": 0.25} and rows[3]["size"] > 0


def test_logs_of_bytes_that_are_no_text_are_passed_on(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "bytes.py").write_text("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\r50%\\r100%\\n')")
    start_and_wait(nsml, "-e", "bytes.py")
    log = list_sessions(open_home())[0].log.read_bytes()
    assert log.startswith(b"\xff\xfe\r50%\r100%\n")


def test_output_that_nobody_reads_to_the_end_is_no_error(nsml: Nsml, trained: str, project: Path) -> None:
    piped = f"{sys.executable} -m nsml logs {trained} | head -n 1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", piped], capture_output=True, text=True, cwd=project)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "epoch 0\n", "")


def test_login_names_the_user_of_new_sessions(nsml: Nsml, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NSML_USER")
    nsml("login", "team146")
    assert nsml("whoami").out == "team146\n"
    assert nsml("run", "-d", dataset).out == "Session team146/FUNDUS/1 is started\n"


def test_ctrl_c_leaves_a_followed_session_running_and_says_so(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    (project / "sleep.py").write_text("import time; print('on', flush=True); time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "sleep.py")
    following = start_for_ctrl_c([sys.executable, "-m", "nsml", "logs", "-f", "FUNDUS/1"], project, tmp_path / "out")
    wait_until(lambda: "on" in (tmp_path / "out").read_text().split())
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 130
    assert "session tester/FUNDUS/1 is still running" in (tmp_path / "out").read_text()
    assert "Running" in nsml("ps").out
    nsml("stop", "-f", "FUNDUS/1")


def test_a_program_may_run_without_a_dataset(nsml: Nsml, project: Path) -> None:
    (project / "main.py").write_text("import nsml; print(nsml.HAS_DATASET, [nsml.DATASET_PATH, nsml.DATASET_NAME])")
    ran = nsml("run", "-i")
    assert ran.out.startswith("Session tester/none/1 is started\nFalse ['', '']\n")
    assert "warning: without -d the session has no dataset" in ran.err


def test_a_session_without_a_dataset_is_not_submitted(nsml: Nsml, project: Path) -> None:
    nsml("run", "-i", "-e", "main.py")
    nsml("run")
    nsml("logs", "-f", "none/2")
    refused = nsml("submit", "none/2", "best")
    assert refused.status == 2 and "has no dataset to predict" in refused.err


@pytest.mark.parametrize("own", ["nsml.py", "nsml/__init__.py"])
def test_a_module_nsml_of_the_project_does_not_stand_in_for_the_platforms(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path, own: str
) -> None:
    (project / own).parent.mkdir(exist_ok=True)
    (project / own).write_text("def bind(*args, **kwargs): pass\n")
    # The script, since `python -m nsml` would itself find the project's.
    started = run_command([str(Path(sys.executable).parent / "nsml"), "run", "-d", dataset], project)
    assert "the platform's own nsml is used in its place" in started.err
    nsml("logs", "-f", "FUNDUS/1", folder=tmp_path)
    assert nsml("submit", "FUNDUS/1", "best", folder=tmp_path).out.startswith("Score: 100.010001\n")


def test_the_entry_file_may_be_named_by_its_whole_path(nsml: Nsml, dataset: str, project: Path) -> None:
    assert nsml("submit", start_and_wait(nsml, "-e", str(project / "main.py")), "best").status == 0


def test_a_session_without_a_dataset_has_no_variable_that_names_one(nsml: Nsml, project: Path) -> None:
    (project / "main.py").write_text(
        "import os\nprint([name for name in os.environ if name.startswith('NSML_DATASET')])"
    )
    ended = nsml("run", "-i", NSML_DATASET_PATH="/left/over", NSML_DATASET_NAME="over")
    assert ended.out.splitlines()[1] == "[]"

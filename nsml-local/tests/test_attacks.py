"""Programs that try to get at the hidden labels, or at a score, through what nsml reads of what they write."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import PROGRAM, Ended, Nsml, make_dataset, start_and_wait

import nsml as nsml_package
from nsml.store.files import open_regular, read_regular
from nsml.store.home import open_home
from nsml.store.sessions import Session, list_sessions

LABELS = "home + '/datasets/FUNDUS/hidden/test/test_label'"
# Knows its way about nsml, as an attacker does.
KNOWS = """\
launch = json.load(open(os.environ["NSML_LAUNCH"]))
home, here = launch["home"], launch["session"]
"""


def write_program(project: Path, training: str = "", inferring: str = "") -> None:
    """PROGRAM with these lines before it trains, and in `infer`."""
    lines = "".join(f"        {line}\n" for line in inferring.splitlines())
    program = PROGRAM.replace("        return [int(", f"{lines}        return [int(")
    train = "\n".join(f"    {line}" for line in training.splitlines())
    program = program.replace('if args.mode == "train":\n', f'if args.mode == "train":\n{train}\n')
    (project / "main.py").write_text(program.replace("import nsml\n", f"import nsml\n{KNOWS}", 1))


def only_session() -> Session:
    (session,) = list_sessions(open_home())
    return session


def nobody_has_a_score(nsml: Nsml) -> bool:
    return "no submission on FUNDUS yet" in nsml("dataset", "board", "FUNDUS").err


REPLACE = """\
out = launch["submission"] + "/predictions.csv"
{put}
open(launch["submission"] + "/steps.jsonl", "a").write('{{"step": "done", "infer_seconds": 1}}\\n')
os._exit(0)
"""


@pytest.mark.parametrize("put", [f"os.symlink({LABELS}, out)", "os.mkfifo(out)"])
@pytest.mark.parametrize("options", [(), ("-t",)])
def test_predictions_that_are_no_regular_file_are_neither_scored_nor_shown(
    nsml: Nsml, dataset: str, project: Path, put: str, options: tuple[str, ...]
) -> None:
    write_program(project, inferring=REPLACE.format(put=put))
    submitted = nsml("submit", *options, start_and_wait(nsml), "best")
    assert submitted.status == 1
    assert "predictions.csv is not a regular file" in submitted.err
    assert "test_data" not in submitted.out
    assert nobody_has_a_score(nsml)


def test_predictions_are_read_once_and_what_is_done_to_them_afterwards_changes_no_score(
    nsml: Nsml, dataset: str, project: Path, home: Path
) -> None:
    name = start_and_wait(nsml)
    assert nsml("submit", name, "best").status == 0
    folder = home / "submissions" / "FUNDUS" / "1"
    assert (folder / "predictions.csv").exists()
    assert not (folder / "written").exists()


@pytest.mark.parametrize("command", [("submit", "FUNDUS/1", "best"), ("fork", "FUNDUS/1"), ("resume", "FUNDUS/1")])
def test_a_link_that_a_program_put_into_its_code_is_not_followed_when_that_is_copied(
    nsml: Nsml, dataset: str, project: Path, command: tuple[str, ...]
) -> None:
    write_program(project, training=f"os.symlink({LABELS}, here + '/code/weights.bin')")
    start_and_wait(nsml)
    refused = nsml(*command)
    assert refused.status == 1
    assert "code/weights.bin is not a regular file; a program created it" in refused.err
    assert [path.name for path in only_session().folder.parent.glob("*/work/weights.bin")] == []


def test_a_log_that_is_a_link_is_neither_shown_nor_written_to(nsml: Nsml, dataset: str, project: Path) -> None:
    write_program(project, training=f"os.unlink(here + '/log.txt'); os.symlink({LABELS}, here + '/log.txt')")
    start_and_wait(nsml)
    labels = (open_home().datasets / "FUNDUS/hidden/test/test_label").read_text()
    for command in (("logs", "FUNDUS/1"), ("resume", "FUNDUS/1"), ("logs", "-f", "FUNDUS/1")):
        assert "test_data" not in nsml(*command).out
    assert (open_home().datasets / "FUNDUS/hidden/test/test_label").read_text() == labels


@pytest.mark.parametrize("name", ["memo.txt", "metrics.jsonl", "state.json", "log-cut.json", "python.txt", "log.txt"])
@pytest.mark.parametrize("command", [("ps", "-a"), ("doctor",), ("logs", "FUNDUS/1"), ("submit", "FUNDUS/1", "best")])
def test_a_pipe_in_place_of_a_file_stops_no_command(
    nsml: Nsml, trained: str, name: str, command: tuple[str, ...]
) -> None:
    path = only_session().folder / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    nsml(*command)  # within the time that every command of a test has


def test_a_checkpoint_that_is_a_link_is_not_copied_out_whatever_its_manifest_says(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    name = start_and_wait(nsml)
    model = only_session().checkpoints / "best@1" / "model"
    copy = model.with_name("copy")
    shutil.move(model, copy)
    model.symlink_to(copy)
    refused = nsml("model", "pull", name, "best", str(tmp_path / "out"))
    assert refused.status == 1
    assert "checkpoint best is damaged" in refused.err
    assert not (tmp_path / "out").exists()


def save_with_a_link(nsml: Nsml, project: Path, target: str) -> None:
    """Train a program whose checkpoint has a link `latest` to `target` beside its model."""
    saves = PROGRAM.replace(
        "            json.dump(model, file)\n",
        f"            json.dump(model, file)\n        os.symlink({target!r}, os.path.join(dir_path, 'latest'))\n",
    )
    (project / "main.py").write_text(saves)
    start_and_wait(nsml)


def test_a_saved_link_is_stored_as_its_file(nsml: Nsml, dataset: str, project: Path) -> None:
    save_with_a_link(nsml, project, "model.json")
    latest = only_session().checkpoints / "best@1" / "model" / "latest"
    assert not latest.is_symlink()
    assert latest.read_text() == (latest.parent / "model.json").read_text()


def test_a_saved_link_that_leads_nowhere_is_named_with_its_target(nsml: Nsml, dataset: str, project: Path) -> None:
    save_with_a_link(nsml, project, "gone.json")
    log = (only_session().folder / "log.txt").read_text()
    assert "latest is a link to gone.json, which does not exist; save the file in its place" in log


@pytest.fixture
def with_scorer(tmp_path: Path) -> Path:
    """A dataset with a loader and a scorer, which knows the answers by a module beside it."""
    source = make_dataset(tmp_path / "organised")
    evaluation = source / "evaluation"
    evaluation.mkdir()
    (evaluation / "truth.py").write_text("TRUTH = '0123'\n")
    (evaluation / "reading.py").write_text("import os\nnames = lambda root: sorted(os.listdir(root))\n")
    (evaluation / "evaluation.py").write_text(
        "import argparse, truth\ntry:\n    import ujson\nexcept ImportError:\n    ujson = None\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--prediction')\n"
        "answers = open(parser.parse_args().prediction).read().split()\n"
        "print(sum(a == b for a, b in zip(answers, truth.TRUTH)))\n"
    )
    (evaluation / "data_loader.py").write_text(
        "import os, nsml\nfrom reading import names\n"
        "def feed_infer(output_file, infer_func):\n"
        "    answers = infer_func(names(os.path.join(nsml.DATASET_PATH, 'test', 'test_data')))\n"
        "    open(output_file, 'w').write(''.join(f'{a}\\n' for a in answers))\n"
    )
    return source


def test_a_program_is_shown_only_what_the_organisers_loader_needs(nsml: Nsml, with_scorer: Path, home: Path) -> None:
    pushed = nsml("dataset", "push", "FUNDUS", str(with_scorer))
    assert "its loader uses reading.py" in pushed.out
    assert sorted(path.name for path in (home / "datasets/FUNDUS/feed").iterdir()) == ["data_loader.py", "reading.py"]


def test_a_module_that_a_scorer_does_without_is_not_looked_for_among_the_competitors(
    nsml: Nsml, with_scorer: Path, project: Path
) -> None:
    nsml("dataset", "push", "FUNDUS", str(with_scorer))
    (project / "main.py").write_text(PROGRAM.replace("int(image.mean()) % 4", "0"))
    (project / "ujson.py").write_text("print(4)\nraise SystemExit\n")
    assert "Score: 1\n" in nsml("submit", start_and_wait(nsml), "best").out


def test_predicting_by_hand_tells_no_score_that_does_not_count(nsml: Nsml, python: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "source")), "--every", "1h")
    start_and_wait(nsml)
    by_hand = python("main.py", "--mode", "test", NSML_DATASET="FUNDUS")
    assert by_hand.status == 0, by_hand.err
    assert "not scored, as dataset FUNDUS limits submissions" in by_hand.out
    assert "Score" not in by_hand.out


def test_a_regular_file_is_opened_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(b"1234")
    (tmp_path / "link").symlink_to("inner")
    (tmp_path / "inner" / "other").symlink_to("file")
    assert read_regular(tmp_path / "inner" / "file", 4, tmp_path) == b"1234"
    assert read_regular(tmp_path / "link" / "file") == b"1234"
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_regular(tmp_path / "inner" / "file", 3)
    os.mkfifo(tmp_path / "pipe")
    for path in ("link/file", "inner/other", "pipe", "inner/../inner/file"):
        with pytest.raises(OSError, match="not a regular file, or behind a link"):
            open_regular(tmp_path / path, below=tmp_path)


# Each of these would get a program out of its namespaces, or at what lies outside of them.
BREAKS_OUT = """\
import ctypes, glob, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
calls = {
    "umount": lambda: libc.umount2(HOME.encode(), 2),
    "mount": lambda: libc.mount(b"none", b"/mnt", b"tmpfs", 0, None),
    "a user namespace": lambda: libc.unshare(0x10000000),
    "a mount namespace": lambda: libc.unshare(0x20000),
    "chroot": lambda: libc.chroot(b"/proc/1/root"),
    "a disk": lambda: libc.mknod(b"/tmp/disk", 0o60600, os.makedev(254, 0)),
    "open_tree": lambda: libc.syscall(428, -100, b"/", 1),
}
got = [name for name, call in calls.items() if call() != -1]
ways = ["", "/proc/1/root", "/proc/self/root", "/proc/1/cwd" + "/.." * 9, "/proc/self/fd/1/.."]
got += [way + path for way in ways for path in (LABELS, SOURCE) if os.path.exists(way + path)]
got += [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in (1, os.getpid())]
for path in WRITES:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").close()
        got.append(path)
    except OSError:
        pass
got += [path for path in glob.glob(HOME + "/sessions/*/*/*/*") if not path.endswith(("checkpoints", "metrics.jsonl", "answers"))
        if path not in (HERE + "/work", HERE + "/launch.json")]
print("GOT", got, flush=True)
"""


def breaks_out(home: Path, isolated: Path, number: int) -> str:
    here = home / "sessions" / "tester" / "FUNDUS" / str(number)
    writes = [here / "launch.json", here / "state.json", here / "code" / "x", here.with_name("9") / "launch.json"]
    writes += [
        here.with_name("1") / "checkpoints" / "x",
        home / "user.json",
        home / "submissions" / "FUNDUS" / "1" / "x",
        # These need no capability, but root; opened, they are not changed.
        Path("/proc/sys/kernel/core_pattern"),
        Path("/proc/sys/kernel/hostname"),
        Path("/proc/sysrq-trigger"),
    ]
    writes += [
        home / "datasets" / "FUNDUS" / "training" / "x",
        Path(sys.prefix) / "x.pth",
        # Not HOME, which may lie in /tmp, and that is the program's own.
        Path(pwd.getpwuid(os.getuid()).pw_dir) / ".bashrc.d" / "x",
    ]
    labels = "test/test_label"
    named = {
        "HOME": home,
        "HERE": here,
        "LABELS": home / "datasets/FUNDUS/hidden" / labels,
        "SOURCE": isolated / labels,
    }
    return (
        "".join(f"{name} = {str(path)!r}\n" for name, path in named.items())
        + f"WRITES = {[*map(str, writes)]}\n{BREAKS_OUT}"
    )


def test_an_isolated_program_does_not_get_out_reads_no_other_session_and_writes_only_its_own(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    start_and_wait(nsml)
    (project / "main.py").write_text(breaks_out(home, isolated, 2))
    assert "GOT []" in nsml("logs", start_and_wait(nsml)).out


def test_an_isolated_program_does_not_get_out_of_a_submit_either_and_forges_no_record(
    nsml: Nsml, isolated: Path, project: Path, home: Path
) -> None:
    forges = "out = launch['submission']\nfor path in (out + '/../submission.json', home + '/submissions/FUNDUS/2/submission.json'):\n"
    forges += (
        "    try:\n        os.makedirs(os.path.dirname(path), exist_ok=True)\n        open(path, 'w').write('{}')\n"
    )
    forges += "        print('GOT', path)\n    except OSError:\n        pass\n"
    write_program(project, inferring=breaks_out(home, isolated, 1) + forges)
    submitted = nsml("submit", "-v", start_and_wait(nsml), "best")
    assert submitted.err.count("GOT") == 1 and "GOT []" in submitted.err
    assert "Score: 100" in submitted.out


def test_a_session_that_reports_nothing_is_not_damaged_where_it_is_isolated(
    nsml: Nsml, isolated: Path, project: Path
) -> None:
    (project / "main.py").write_text("print('only looks')\n")
    start_and_wait(nsml)
    assert "metrics" not in nsml("doctor").out
    assert "no metrics" in nsml("plot", "FUNDUS/1").err or "reported" in nsml("plot", "FUNDUS/1").err


# Of an ordinary user, "nobody": has nothing but a folder of its own.
ORDINARY = 65534


@pytest.fixture
def as_ordinary_user(project: Path) -> Iterator[tuple[Nsml, Path]]:
    """`nsml(...)` as an ordinary user, and the user's folder; skips the test where there can be none, or none can isolate."""
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("only root becomes another user")
    with tempfile.TemporaryDirectory(prefix="ordinary-") as name:
        folder = Path(name)
        shutil.copytree(project, folder / "project")
        make_dataset(folder / "source")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, ORDINARY, ORDINARY)
        packages = [str(Path(nsml_package.__file__).parents[1]), *site.getsitepackages()]
        environment = {"HOME": name, "USER": "ordinary", "PATH": os.defpath, "PYTHONPATH": os.pathsep.join(packages)}

        def run(*command: str) -> Ended:
            ended = subprocess.run(
                command,
                cwd=folder / "project",
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                user=ORDINARY,
                group=ORDINARY,
                extra_groups=[],
            )
            return Ended(ended.returncode, ended.stdout, ended.stderr)

        # The environment of the tests may lie in a folder of root's alone. Isolated programs have a /tmp of their own.
        version = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        is_seen = not any(Path(path).is_relative_to("/tmp") for path in packages)
        for python in (sys.executable, version) if is_seen else (sys.executable,):
            with contextlib.suppress(OSError):
                if run(python, "-c", "import nsml, cv2, psutil, click").status == 0:
                    break
        else:
            pytest.skip(
                "no Python that an ordinary user can start has the packages of nsml; CONTRIBUTING.md says where one has"
            )
        why = run(python, "-c", "from nsml.engine.isolation import why_not; print(why_not(), end='')").out
        if why:
            pytest.skip(f"an ordinary user cannot isolate programs here: {why}")
        yield lambda *arguments: run(python, "-m", "nsml", *arguments), folder


def test_an_ordinary_user_pushes_isolated_data_trains_and_is_scored(as_ordinary_user: tuple[Nsml, Path]) -> None:
    nsml, folder = as_ordinary_user
    home = folder / ".local" / "share" / "nsml"
    pushed = nsml("dataset", "push", "FUNDUS", str(folder / "source"), "--isolate")
    assert pushed.status == 0, pushed.err
    trained = start_and_wait(nsml)
    submitted = nsml("submit", trained, "best")
    assert submitted.status == 0, submitted.err
    assert "Score: 100" in submitted.out
    hostile = breaks_out(home, folder / "source", 2).replace("/tester/", "/ordinary/")
    (folder / "project" / "main.py").write_text(hostile)
    assert "GOT []" in nsml("logs", start_and_wait(nsml)).out
    assert nsml("doctor").status == 0
    assert "ordinary" in nsml("dataset", "board", "FUNDUS").out
    assert {path.stat().st_uid for path in home.rglob("*")} == {ORDINARY}

"""A backup of the home, made while sessions run, and its restoring."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait, wait_until

from nsml.engine.isolation import can_be_read
from nsml.store import backup as module
from nsml.store.backup import back_up, check_backup
from nsml.store.checkpoints import Checkpoint, list_checkpoints, store
from nsml.store.files import sha256_of, write_json, write_text
from nsml.store.home import Home, open_home
from nsml.store.sessions import create_session
from nsml.store.submissions import open_submission

# Files that differ on purpose: of a home of its own.
_OF_ONE_HOME = ("state.json", "ended")


def files_of(home: Path) -> dict[str, bytes]:
    found = {}
    for root, _, names in os.walk(home):
        for name in names:
            path = Path(root, name)
            if path.is_file() and ".queue" not in path.parts and "environments" not in path.parts:
                found[str(path.relative_to(home))] = path.read_bytes()
    return found


@pytest.fixture
def backup(nsml: Nsml, trained: str, tmp_path: Path) -> Path:
    nsml("submit", trained, "best")
    made = nsml("backup", str(tmp_path / "backup"))
    assert made.status == 0, made.err
    return tmp_path / "backup"


def test_what_is_restored_is_what_was_backed_up(nsml: Nsml, backup: Path, home: Path, tmp_path: Path) -> None:
    restored = nsml("restore", str(backup), NSML_HOME=str(tmp_path / "new"))
    assert restored.status == 0 and restored.err == "" and f"are in {tmp_path / 'new'}" in restored.out
    assert files_of(tmp_path / "new") == files_of(home)
    for command in (["ps", "-a", "-j"], ["dataset", "board", "-j", "FUNDUS"], ["model", "ls", "-j", "FUNDUS/1"]):
        assert nsml(*command, NSML_HOME=str(tmp_path / "new")).out == nsml(*command).out
    assert nsml("submit", "FUNDUS/1", "best", NSML_HOME=str(tmp_path / "new")).status == 0
    assert nsml("doctor", NSML_HOME=str(tmp_path / "new")).status == nsml("doctor").status
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_sha256sum_verifies_a_backup_too(backup: Path) -> None:
    checked = subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=backup, check=False)
    assert checked.returncode == 0


@pytest.mark.parametrize("what", ["changed", "missing", "sums"])
def test_a_backup_that_has_changed_is_named_and_not_restored(
    nsml: Nsml, backup: Path, tmp_path: Path, what: str
) -> None:
    assert "files are as they were backed up" in nsml("restore", "--check", str(backup)).out
    path = (
        backup / "SHA256SUMS"
        if what == "sums"
        else backup / "home" / "submissions" / "FUNDUS" / "1" / "submission.json"
    )
    content = path.read_bytes()
    path.unlink()
    if what != "missing":
        path.write_bytes(content.replace(b"1", b"2", 1))
    for options in (["--check", str(backup)], [str(backup)]):
        refused = nsml("restore", *options, NSML_HOME=str(tmp_path / "new"))
        (line,) = refused.err.splitlines()
        assert refused.status == 1 and path.name in line and "take another backup" in line
    assert [entry.name for entry in tmp_path.iterdir() if "new" in entry.name or entry.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["home/{}", "home/../{}", "{}", "home/./x", "home", "home/", "home/a\0b"])
def test_a_backup_that_names_a_file_outside_its_home_is_not_restored(
    nsml: Nsml, tmp_path: Path, name: str, home: Path
) -> None:
    backup, secret = tmp_path / "backup", tmp_path / "outside"
    back_up(open_home(), backup)
    named = name.format(secret)
    sums = (backup / "SHA256SUMS").read_text()
    write_text(backup / "SHA256SUMS", f"{sums}{sha256(b'').hexdigest()}  {named}\n")
    write_json(backup / "backup.json", {"format": 1, "sums": sha256_of(backup / "SHA256SUMS")})
    for options in ([], ["--check"]):
        refused = nsml("restore", *options, str(backup), NSML_HOME=str(tmp_path / "new"))
        assert refused.status == 1 and "which is not below home/; take another backup" in refused.err
    assert not (tmp_path / "new").exists() and not secret.exists()


def test_a_home_that_is_in_use_is_not_overwritten(nsml: Nsml, backup: Path, home: Path) -> None:
    before = files_of(home)
    refused = nsml("restore", str(backup))
    assert refused.status == 2 and "is not empty; name a new folder: NSML_HOME=FOLDER nsml restore DIR" in refused.err
    assert files_of(home) == before


def test_wrong_folders_are_refused_in_a_line(nsml: Nsml, backup: Path, home: Path, tmp_path: Path) -> None:
    assert "already exists" in nsml("backup", str(backup)).err
    assert "lies in" in nsml("backup", str(home / "backup")).err
    assert "is no backup: it has no backup.json" in nsml("restore", str(home), NSML_HOME=str(tmp_path / "n")).err


def test_a_session_that_runs_is_backed_up_and_can_be_resumed(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    program = (project / "main.py").read_text()
    wait = "        import os, time\n        while os.path.exists(WAIT) and epoch == 0: time.sleep(0.05)\n"
    (tmp_path / "wait").touch()
    program = program.replace("        nsml.save(epoch)\n", f"        nsml.save(epoch)\n{wait}")
    (project / "main.py").write_text(
        program.replace("import nsml\n", f"import nsml\nWAIT = {str(tmp_path / 'wait')!r}\n")
    )
    nsml("run", "-d", dataset)
    wait_until(lambda: '"0"' in nsml("model", "ls", "-j", "FUNDUS/1").out)
    assert nsml("backup", str(tmp_path / "backup")).status == 0
    new = {"NSML_HOME": str(tmp_path / "new")}
    restored = nsml("restore", str(tmp_path / "backup"), **new)
    assert "1 sessions ran when the backup was made; 'nsml resume' continues them: tester/FUNDUS/1" in restored.err
    (row,) = json.loads(nsml("ps", "-a", "-j", **new).out)
    assert (row["status"], row["reason"]) == ("Lost", "it ran when the backup was made")
    (tmp_path / "wait").unlink()
    assert nsml("resume", "FUNDUS/1", **new).status == 0
    nsml("logs", "-f", "FUNDUS/1", **new)
    nsml("logs", "-f", "FUNDUS/1")
    for environment in (new, {}):
        assert [row["status"] for row in json.loads(nsml("ps", "-a", "-j", **environment).out)] == ["Exited"]


def test_a_backup_while_checkpoints_are_saved_holds_one_of_each_name_and_all_are_whole(tmp_path: Path) -> None:
    home = open_home()
    session = create_session(home, "me", "D", {"entry": "main.py", "arguments": []})
    stop = threading.Event()

    def save(number: int) -> None:
        def write(path: Path) -> None:
            path.mkdir()
            for part in range(5):
                (path / f"{part}").write_bytes(b"%d" % number * 20_000)

        store(session.checkpoints, "best", write, elapsed=1.0, summary={})

    def save_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            save(number)

    save(0)
    saver = threading.Thread(target=save_on)
    saver.start()
    try:
        for number in range(10):
            back_up(home, tmp_path / f"{number}")
    finally:
        stop.set()
        saver.join()
    for number in range(10):
        check_backup(tmp_path / f"{number}")
        copied = tmp_path / f"{number}" / "home" / "sessions" / "me" / "D" / "1" / "checkpoints"
        found = list_checkpoints(copied)
        assert found and all(isinstance(checkpoint, Checkpoint) for checkpoint in found)
        for checkpoint in found:
            assert isinstance(checkpoint, Checkpoint)
            checkpoint.verify()


def test_only_links_of_datasets_are_followed_and_temporary_files_left_out(
    nsml: Nsml, trained: str, home: Path, tmp_path: Path
) -> None:
    session = home / "sessions" / trained
    (tmp_path / "secret").write_text("secret")
    (session / "work" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(session / "work" / "pipe")
    (session / ".tmp-1-ab").write_text("half")
    (session / "work" / ".tmp-mine").write_text("of the program")
    photograph = next((home / "datasets" / "FUNDUS" / "submission" / "test" / "test_data").iterdir())
    content = photograph.read_bytes()
    photograph.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    photograph.symlink_to(tmp_path / "elsewhere")
    made = nsml("backup", str(tmp_path / "backup"))
    assert "warning: 2 links, pipes, sockets, devices or unreadable files are left out" in made.err
    copied = tmp_path / "backup" / "home" / "sessions" / trained
    assert not (copied / "work" / "link").exists() and not (copied / ".tmp-1-ab").exists()
    assert (copied / "work" / ".tmp-mine").read_text() == "of the program"
    photograph_copy = tmp_path / "backup" / "home" / photograph.relative_to(home)
    assert photograph_copy.read_bytes() == content and not photograph_copy.is_symlink()


def test_numbers_of_removed_sessions_are_not_used_again(nsml: Nsml, trained: str, tmp_path: Path) -> None:
    nsml("rm", "-f", trained)
    nsml("backup", str(tmp_path / "backup"))
    nsml("restore", str(tmp_path / "backup"), NSML_HOME=str(tmp_path / "new"))
    assert create_session(Home(tmp_path / "new"), "tester", "FUNDUS", {"entry": "", "arguments": []}).name.number == 2


def test_numbers_of_sessions_that_were_removed_by_hand_are_not_used_again(
    nsml: Nsml, trained: str, home: Path, tmp_path: Path
) -> None:
    shutil.rmtree(home / "sessions" / trained)
    nsml("backup", str(tmp_path / "backup"))
    nsml("restore", str(tmp_path / "backup"), NSML_HOME=str(tmp_path / "new"))
    for each in (home, tmp_path / "new"):
        assert create_session(Home(each), "tester", "FUNDUS", {"entry": "", "arguments": []}).name.number == 2


def test_a_backup_of_an_isolated_home_says_that_programs_can_read_it_and_how_to_hide_it(
    nsml: Nsml, isolated: Path, project: Path, tmp_path: Path
) -> None:
    assert nsml("backup", str(tmp_path / "in_tmp")).err == ""  # of which programs see nothing
    if not can_be_read(Path.home()):
        pytest.skip("the home folder lies in /tmp, /var/tmp or /run, of which isolated programs see nothing")
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        target = Path(folder, "backup")
        (project / "main.py").write_text(
            f"import os\ntry:\n    print('SEEN', os.listdir({str(target)!r}))\nexcept PermissionError:\n    print('HIDDEN')\n"
        )
        warned = nsml("backup", str(target)).err
        assert warned.startswith(
            f"warning: isolated programs can read the labels in {target}; 'chmod 0 {target}' hides"
        )
        assert "SEEN" in nsml("logs", start_and_wait(nsml)).out
        target.chmod(0)
        assert "HIDDEN" in nsml("logs", start_and_wait(nsml)).out
        target.chmod(0o700)


def test_a_submit_that_ran_is_listed_as_failed(home: Path, nsml: Nsml, trained: str, tmp_path: Path) -> None:
    folder = open_submission(open_home(), "FUNDUS", "tester", 1.0)
    write_json(
        folder / "launch.json",
        {"user": "tester", "dataset": "FUNDUS", "number": 1, "started_by": "tester", "checkpoint": "best"},
    )
    nsml("backup", str(tmp_path / "backup"))
    new = {"NSML_HOME": str(tmp_path / "new")}
    nsml("restore", str(tmp_path / "backup"), **new)
    (failed,) = json.loads(nsml("dataset", "board", "--all", "-j", "FUNDUS", **new).out)
    assert failed["error"] == "the submit ran when the backup was made; submit again"


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\\nb", "\udcb0\udca1", "가 나"])
def test_any_name_is_backed_up_and_restored(nsml: Nsml, trained: str, home: Path, tmp_path: Path, name: str) -> None:
    (home / "sessions" / trained / "work" / name).write_text("content")
    nsml("backup", str(tmp_path / "backup"))
    assert (
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=tmp_path / "backup", check=False).returncode
        == 0
    )
    restored = nsml("restore", str(tmp_path / "backup"), NSML_HOME=str(tmp_path / "new"))
    assert restored.status == 0, restored.err
    assert (tmp_path / "new" / "sessions" / trained / "work" / name).read_text() == "content"


def test_a_file_that_a_program_made_unreadable_is_left_out_and_counted(
    trained: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "sessions" / trained / "work" / "locked").write_text("secret")
    real = module.copy_file

    def copy(source: Path, target: Path, below: Path | None = None) -> None:
        if source.name == "locked":  # what the system does, but not for root
            raise PermissionError(13, "Permission denied", str(source))
        real(source, target, below)

    monkeypatch.setattr(module, "copy_file", copy)
    assert back_up(open_home(), tmp_path / "backup").left_out == 1
    check_backup(tmp_path / "backup")

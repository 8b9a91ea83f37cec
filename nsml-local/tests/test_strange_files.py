"""What a program can leave in the folder of its session: nothing hangs on it, follows it, or lets it steer the terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from helpers import Nsml

from nsml.cli.display import ProgramOutput
from nsml.errors import Damaged, RunFailed
from nsml.session.answering import _answer, ask, listen
from nsml.store.checkpoints import store
from nsml.store.copies import copy_file
from nsml.store.files import read_json, remove_tree, write_json
from nsml.store.home import open_home
from nsml.store.launches import write_launch
from nsml.store.processes import identity
from nsml.store.sessions import Session, create_session
from nsml.store.submissions import open_submission
from nsml.web.session_rows import SessionRows

SECRET = "the organiser's labels"
FILES = [
    *(
        "session.json",
        "state.json",
        "memo.txt",
        "metrics.jsonl",
        "log.txt",
        "log-cut.json",
        "launch.json",
        "started.txt",
    ),
    *("exit-status", "python.txt", "answers", "code", "work", "checkpoints", "reports", "."),
]
STEERS = "\x1b]0;owned\x07\x9b31m\u202etxt.exe\x00"


def make_session(**facts: Any) -> Session:
    session = create_session(open_home(), "tester", "FUNDUS", {"entry": "main.py", "arguments": []})
    session.code.mkdir()
    (session.code / "main.py").write_text("print()\n")
    session.write_state("Exited", exit_status=0, **facts)
    store(session.checkpoints, "best", lambda path: path.write_text("x") and None, elapsed=0.0, summary={})
    return session


def a_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(os.path.relpath(path))


def a_large_file(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(20 << 30)


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "a pipe": lambda path, secret: os.mkfifo(path),
    "a link to a device": lambda path, secret: path.symlink_to("/dev/zero"),
    "a link to a file": lambda path, secret: path.symlink_to(secret / "main.py"),
    "a link to a folder": lambda path, secret: path.symlink_to(secret),
    "a link to itself": lambda path, secret: path.symlink_to(path.name),
    "a socket": lambda path, secret: a_socket(path),
    "a file of holes": lambda path, secret: a_large_file(path),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_strange_file_hides_no_other_session_and_the_doctor_names_it(
    nsml: Nsml, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "main.py").write_text(SECRET)
    make_session()
    monkeypatch.chdir(open_home().path)
    for name in FILES:
        session = make_session()
        path = session.folder if name == "." else session.folder / name
        if path.exists():
            path.rename(tmp_path / f"aside-{session.name.number}")
        KINDS[kind](path, secret)
    listed, doctor = nsml("ps", "-a"), nsml("doctor")
    numbers = {int(number) for number in re.findall(r"FUNDUS/(\d+)", listed.out + listed.err)}
    assert numbers == set(range(1, len(FILES) + 2))
    assert SECRET not in listed.out + doctor.out
    named = {int(number) for number in re.findall(r"FUNDUS/(\d+)", doctor.out)}
    harmless = {"log.txt"} if kind == "a file of holes" else set()
    harmless |= {"memo.txt", "launch.json", "started.txt", "exit-status", "python.txt"} if "holes" in kind else set()
    assert {name for number, name in enumerate(FILES, 2) if number not in named} <= harmless
    assert len(SessionRows(open_home(), "FUNDUS").read()) == len(FILES) + 1
    for command in ("compare", "diff"):
        for number in range(2, len(FILES) + 2):
            assert SECRET not in str(nsml(command, "FUNDUS/1", f"FUNDUS/{number}"))
    assert nsml("doctor", "--repair").out.count("put aside") >= len(FILES) - len(harmless) - 2
    assert (secret / "main.py").read_text() == SECRET


@pytest.mark.parametrize("name", ["session.json", "state.json"])
def test_the_row_of_an_ended_session_follows_its_files(home: Path, name: str) -> None:
    path = make_session().folder / name
    rows = SessionRows(open_home(), "FUNDUS")
    first = rows.read()
    whole = path.read_bytes()
    path.write_text("{")
    assert name in rows.read()[0]["why"]
    path.write_bytes(whole)
    assert rows.read() == first


@pytest.mark.parametrize(
    "command", [("submit", "FUNDUS/1", "best"), ("model", "pull", "FUNDUS/1", "best", "out"), ("resume", "FUNDUS/1")]
)
@pytest.mark.parametrize("target", ["best@1", "nowhere"])
def test_a_checkpoint_that_is_a_link_to_nothing_is_damaged(
    nsml: Nsml, dataset: str, command: tuple[str, ...], target: str
) -> None:
    folder = make_session().checkpoints / "best@1"
    shutil.rmtree(folder)
    folder.symlink_to(target)
    ended = nsml(*command)
    assert ended.status in (1, 2) and ended.err.count("\n") == 1 and "checkpoint" in ended.err


def test_a_working_folder_that_is_a_link_is_not_resumed_in(nsml: Nsml, dataset: str, tmp_path: Path) -> None:
    session = make_session()
    (tmp_path / "elsewhere").mkdir()
    session.work.symlink_to(tmp_path / "elsewhere")
    assert "work is a link" in nsml("resume", "FUNDUS/1").err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_copy_keeps_the_holes_of_a_file(tmp_path: Path) -> None:
    both = {1 << 20: b"12", 1 << 39: b"34"}
    for name, pieces, size in (("holes", {}, 1 << 40), ("data", {0: b"1234"}, 4), ("both", both, 1 << 40), ("", {}, 0)):
        source, target = tmp_path / f"{name}-source", tmp_path / f"{name}-target"
        with open(source, "wb") as file:
            for place, content in pieces.items():
                file.seek(place)
                file.write(content)
            file.truncate(size)
        copy_file(source, target)
        assert target.stat().st_size == size and target.stat().st_blocks * 512 < 1 << 20
        with open(target, "rb") as file:
            for place, content in pieces.items():
                file.seek(place)
                assert file.read(len(content)) == content


def make_deep(folder: Path) -> None:
    """Deeper than a path can be long, and than Python nests calls; of its levels some cannot be read or entered."""
    before = os.getcwd()
    folder.mkdir()
    os.chdir(folder)
    try:
        for level in range(2500):
            Path("file").touch()
            os.mkdir("d")
            os.chdir("d")
            if level % 500 == 499:
                os.chmod(".", 0)  # root only goes on
                if os.getuid():
                    break
    finally:
        os.chdir(before)


@pytest.mark.parametrize("part", ["work", "checkpoints/best@1/deep"])
def test_a_session_with_folders_of_any_depth_is_removed(nsml: Nsml, part: str, request: pytest.FixtureRequest) -> None:
    session = make_session()
    make_deep(session.folder / part)
    request.addfinalizer(lambda: remove_tree(session.folder.parent))
    (session.folder / "checkpoints" / "best@1" / "link").symlink_to(open_home().path)
    assert nsml("doctor").err == ""
    assert nsml("rm", "-f", str(session.name)).status == 0
    assert list(session.folder.with_name(".removed-1").iterdir()) == []
    assert open_home().marker.exists()


def test_a_folder_that_is_too_deep_to_be_copied_is_named(nsml: Nsml, dataset: str) -> None:
    session = make_session()
    make_deep(session.code / "deep")
    try:
        refused = nsml("fork", str(session.name))
    finally:
        remove_tree(session.code / "deep")  # which pytest cannot, whose later runs would fail
    assert not (session.code / "deep").exists()
    assert refused.status == 1 and len(refused.err.splitlines()) == 1
    assert "bug in nsml" not in refused.err


def test_a_checkpoint_of_holes_is_damaged_and_not_read_for_hours(nsml: Nsml, dataset: str) -> None:
    session = make_session()
    folder = session.checkpoints / "best@1"
    with open(folder / "model", "r+b") as file:
        file.truncate(1 << 42)
    manifest = read_json(folder / "checkpoint.json")
    manifest["files"][0]["size"] = 1 << 42
    write_json(folder / "checkpoint.json", manifest)
    assert "are holes" in nsml("doctor").out
    assert "are holes" in nsml("submit", str(session.name), "best").err


def test_a_session_that_is_a_link_is_removed_without_what_it_leads_to(nsml: Nsml, tmp_path: Path) -> None:
    session = make_session()
    session.folder.rename(tmp_path / "elsewhere")
    session.folder.symlink_to(tmp_path / "elsewhere")
    assert nsml("rm", "-f", "FUNDUS/1").status == 0
    assert not os.path.lexists(session.folder)
    assert (tmp_path / "elsewhere" / "session.json").exists()
    assert make_session().name.number == 2


@pytest.mark.parametrize(
    "facts",
    [
        {"process": {"pid": -1}},
        {"process": [1]},
        {"process": {"pid": "1"}},
        {"program": "x"},
        {"program": -5},
        {"exit_status": 10**400},
        {"status": ["Exited"]},
        {"status": "\ud800"},
    ],
)
def test_a_state_that_nsml_never_writes_is_damaged(home: Path, facts: dict[str, Any]) -> None:
    session = make_session()
    write_json(session.folder / "state.json", {"status": "Running", **facts})
    with pytest.raises(Damaged, match=r"state\.json is damaged"):
        session.state()


@pytest.mark.parametrize("limits", [[1], {"gpus": "0"}, {"cpus": -1}, {"memory": "all"}, 3])
def test_limits_that_nsml_never_writes_stop_no_command(nsml: Nsml, limits: object) -> None:
    session = make_session()
    write_json(session.folder / "launch.json", {"limits": limits})
    assert nsml("command", "FUNDUS/1").out == "nsml run -e main.py -d FUNDUS\n"


def test_no_record_steers_the_terminal(nsml: Nsml) -> None:
    session = make_session(reason=STEERS)
    session.write_memo(f"memo{STEERS}")
    store(
        session.checkpoints,
        f"name{STEERS}",
        lambda path: path.write_text("x") and None,
        elapsed=0.0,
        summary={STEERS: STEERS},
    )
    write_json(
        session.folder / "session.json",
        {"entry": f"entry{STEERS}", "arguments": [f"argument{STEERS}"], "created_at": 1.0},
    )
    for command in (
        *(("ps", "-a"), ("ps", "-a", "-j"), ("memo", "FUNDUS/1", f"new{STEERS}"), ("command", "FUNDUS/1"), ("doctor",)),
        *(
            ("model", "ls", "FUNDUS/1"),
            ("model", "ls", "-j", "FUNDUS/1"),
            ("compare", "FUNDUS/1:best", f"FUNDUS/1:name{STEERS[:-1]}"),
        ),
        *(("model", "rm", "FUNDUS/1", "name*"), ("rm", "FUNDUS/1"), ("submit", "FUNDUS/1", f"{STEERS[:-1]}")),
    ):
        ended = nsml(*command)
        assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", ended.out + ended.err) == []
        assert "Traceback" not in ended.err and "bug in nsml" not in ended.err
        if "-j" in command:
            assert json.loads(ended.out)


def test_a_shell_is_told_no_name_that_steers_the_terminal(nsml: Nsml) -> None:
    session = make_session()
    for name in (f"name{STEERS[:-1]}", "name\ud800", "name\uac00"):
        store(session.checkpoints, name, lambda path: path.write_text("x") and None, elapsed=0.0, summary={})
    words = "nsml submit FUNDUS/1 na"
    completed = nsml(_NSML_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="3")
    assert completed.out == "plain,name\uac00\n" and completed.err == ""


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_program_draws_on_the_terminal_but_does_not_ask_or_set_anything_there() -> None:
    written = io.BytesIO()
    terminal = Terminal(written)
    out = ProgramOutput(terminal)
    for piece in (
        "\x1b[32m녹색\x1b[0m\r\x1b[K50%\x1b[A\n".encode(),
        b"\x1b]0;title\x07\x1b[6n\x1bc\xc2",
        b"\x9b6n\x1b[?1049h|",
    ):
        out.write(piece)
    assert written.getvalue().decode() == "\x1b[32m녹색\x1b[0m\r\x1b[K50%\x1b[A\n]0;title[6nc6n[?1049h|"


def _replying(session: Session, pieces: Callable[[int], bytes], clients: int = 1) -> threading.Thread:
    """A program that answers these clients as it likes, in pieces, until they are gone."""
    listener = listen(session)

    def reply() -> None:
        with listener:
            for _ in range(clients):
                with listener.accept()[0] as client, contextlib.suppress(OSError):
                    for number in range(10**9):
                        client.sendall(pieces(number))

    thread = threading.Thread(target=reply, daemon=True)
    thread.start()
    return thread


def _once(line: str) -> Callable[[int], bytes]:
    """This line, then too little and too late to matter."""

    def piece(number: int) -> bytes:
        time.sleep(0.1 * bool(number))
        return b"x" if number else f"{line}\n".encode()

    return piece


def test_an_answer_that_never_ends_is_given_up(home: Path) -> None:
    session = make_session()
    replying = _replying(session, lambda number: b"x" * (1 << 20))
    with pytest.raises(RunFailed, match="does not answer"):
        ask(session, "1")
    replying.join(10)

    def slowly(number: int) -> bytes:
        time.sleep(0.05)
        return b"x"

    replying = _replying(session, slowly)
    with pytest.raises(RunFailed, match="does not answer within 0 seconds"):
        ask(session, "1", timeout=0.3)
    replying.join(10)


def test_an_answer_does_not_steer_the_terminal(nsml: Nsml) -> None:
    session = make_session()
    session.forget_state()
    session.write_state("Running", process=identity())
    for word in ("answer", "error"):
        replying = _replying(session, _once(json.dumps({word: STEERS})), clients=2)
        ended = nsml("exec", str(session.name), "1")
        replying.join(10)
        assert "owned" in ended.out + ended.err
        assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", ended.out + ended.err) == []


@pytest.mark.parametrize("name", ["answers/socket", "answers"])
def test_an_expression_is_sent_to_no_other_socket_than_the_sessions(
    home: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, other = make_session(), make_session()
    replying = _replying(other, _once('{"answer": "of another"}'))
    (session.folder / "answers").mkdir()
    path = session.folder / name
    if path.is_dir():
        path.rmdir()
    path.symlink_to(other.folder / name)
    with pytest.raises(RunFailed, match="does not answer"):
        ask(session, "1")
    assert replying.is_alive()
    assert ask(other, "1") == "of another"


def test_an_answer_that_is_too_long_says_how_much_is_missing() -> None:
    answer = _answer(b'{"ask": "1"}', lambda asked: "x" * (3 << 20))["answer"]
    assert answer.endswith("x… (2,097,152 more letters)") and len(answer) < (1 << 20) + 50


def test_of_a_killed_submit_the_doctor_says_what_it_left_and_removes_it(
    nsml: Nsml, dataset: str, tmp_path: Path
) -> None:
    home, session = open_home(), make_session()
    gone = identity() | {"pid": 1 << 22, "ticks": 0}  # above the largest number of a process
    folder = open_submission(home, dataset)
    write_launch(folder, home, session, [], entry="main.py", arguments=[], checkpoint="best")
    (folder / "work").mkdir()
    (folder / "written").mkdir()
    running = open_submission(home, dataset)
    write_json(folder / "process.json", gone)
    elsewhere = gone | {"host": "elsewhere", "namespace": "another"}
    write_json(open_submission(home, dataset) / "process.json", elsewhere)
    silent = open_submission(home, dataset) / "process.json"
    write_json(silent, elsewhere)
    os.utime(silent, (time.time() - 90_000,) * 2)
    scoring = tmp_path / f"nsml-score-{1 << 22}-x"
    scoring.mkdir()
    output = nsml("doctor", TMPDIR=str(tmp_path)).out
    assert "submission FUNDUS/1 was killed: nsml doctor --repair" in output and "FUNDUS/2 was" not in output
    assert "FUNDUS/3 was" not in output and "submission FUNDUS/4 was killed" in output
    assert "1 temporary files of ended processes" in output
    nsml("doctor", "--repair", TMPDIR=str(tmp_path))
    assert "was killed" not in nsml("doctor").out
    assert sorted(path.name for path in folder.iterdir()) == ["failure.json", "launch.json"]
    assert not scoring.exists() and (running / "process.json").exists()
    assert "the submit was killed" in nsml("dataset", "board", "--mine", dataset).out


def side_by_side(one: Session, other: Session) -> str | None:
    pytest.importorskip("nicegui", reason="the page needs nsml-local[web]")
    from nsml.web.diff_page import side_by_side

    return side_by_side(one, other, "main.py")


def test_files_that_differ_in_all_lines_are_compared_at_once(home: Path) -> None:
    one, other = make_session(), make_session()
    for number, session in enumerate((one, other)):
        lines = (f"x = {line * 7919 % 2003} + foo(bar, <{number}>)\n" for line in range(2400))
        (session.code / "main.py").write_text("same\n" + "".join(lines))
    table = side_by_side(one, other)
    assert table is not None and table.count("diff_chg") == 4800
    assert "&lt;0&gt;" in table and "<0>" not in table


def test_added_and_removed_lines_stand_beside_nothing(home: Path) -> None:
    one, other = make_session(), make_session()
    (one.code / "main.py").write_text("a\nb\nc\n")
    (other.code / "main.py").write_text("b\nc\nd\n")
    table = side_by_side(one, other) or ""
    assert '<tr><td class="diff_header">1</td><td class="diff_sub">a</td><td></td><td></td></tr>' in table
    assert '<tr><td></td><td></td><td class="diff_header">3</td><td class="diff_add">d</td></tr>' in table
    assert '<td class="diff_header">2</td><td class="">b</td><td class="diff_header">1</td><td class="">b</td>' in table

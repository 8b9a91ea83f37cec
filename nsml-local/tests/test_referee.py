"""A referee of another account: spool, ledger, and what a team can try."""

import contextlib
import errno
import json
import os
import pickle
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from helpers import Nsml, make_dataset, start_and_wait

from nsml.errors import Damaged, NsmlError
from nsml.scoring import referee as module
from nsml.scoring.ledger import Ledger, read_ledger
from nsml.scoring.referee import Referee, ledger_path, verify
from nsml.scoring.spool import hand_in, read_packet, read_published, wait_for_answer
from nsml.store.checkpoints import store
from nsml.store.datasets import find_dataset
from nsml.store.files import read_json, write_json
from nsml.store.home import open_home
from nsml.store.sessions import create_session
from nsml.store.submissions import open_submission, record_score, submissions_of

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as two other accounts")
FACTS = {"session": "me/D/1", "checkpoint": "best", "code": "c" * 64, "model": "d" * 64}
RIGHT = b"".join(b"test_data,%03d.png,%d\n" % (n, n) for n in range(4))
WRONG = RIGHT.replace(b",3\n", b",0\n")


def quiet(line: str) -> None:
    pass


def refereed(spool: Path, say: Callable[[str], None] = quiet) -> None:
    Referee(open_home(), find_dataset(open_home(), "D"), spool, say).run(once=True)


@pytest.fixture
def spool(nsml: Nsml, tmp_path: Path) -> Iterator[Path]:
    """The spool of dataset D of the organiser's home, which a referee has begun. Other accounts reach it."""
    pushed = nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d")))
    assert pushed.status == 0, pushed.err
    above = Path(tempfile.mkdtemp(prefix="nsml-spool-"))
    above.chmod(0o755)
    refereed(above / "spool")
    yield above / "spool"
    shutil.rmtree(above)


def submissions() -> list[dict[str, Any]]:
    return submissions_of(open_home(), "D")[0]


def entries() -> list[dict[str, Any]]:
    return read_ledger(ledger_path(open_home(), "D"))[0]


def answer_to(spool: Path, name: str) -> dict[str, Any]:
    return read_published(spool, f"answers/{name}.json")


def test_a_team_submits_as_usual_and_the_referee_scores(nsml: Nsml, python: Nsml, spool: Path, tmp_path: Path) -> None:
    nsml("dataset", "rules", "D", "per_day=2", "time_zone=UTC")
    assert nsml("referee", "D", "--spool", str(spool), "--once").status == 0
    team = {"NSML_HOME": str(tmp_path / "team"), "NSML_USER": "me"}
    pushed = nsml("dataset", "push", "D", str(tmp_path / "d"), "--referee", str(spool), **team)
    assert "warning: PATH holds labels or the scorer" in pushed.out
    nsml("dataset", "rm", "-f", "D", **team)
    (tmp_path / "d" / "test" / "test_label").rename(tmp_path / "test_label")
    pushed = nsml("dataset", "push", "D", str(tmp_path / "d"), "--referee", str(spool), **team)
    assert pushed.status == 0 and "warning" not in pushed.out, pushed.err

    def mine(*arguments: str) -> Any:
        return nsml(*arguments, **team)

    name = start_and_wait(mine, dataset="D")
    by_hand = python("main.py", "--mode", "test", NSML_DATASET="D", **team)
    assert "not scored, as dataset D has a referee" in by_hand.out, by_hand.err
    with ThreadPoolExecutor() as pool:
        for left in (1, 0):
            submitted = pool.submit(mine, "submit", name, "best")
            while not submitted.done():
                nsml("referee", "D", "--spool", str(spool), "--once")
            ended = submitted.result()
            assert ended.out == "Score: 100.010001\nDone\n", ended.err
            assert f"{left} of 2 left today, next at 00:00 UTC" in ended.err
    refused = mine("submit", name, "best")  # without prediction, and though no referee runs
    assert refused.status == 2 and "dataset D: 0 of 2 left today, next at 00:00 UTC" in refused.err
    assert "infer" not in refused.out + refused.err
    by_file = hand_in(spool, FACTS, RIGHT, b"")
    nsml("referee", "D", "--spool", str(spool), "--once")
    assert answer_to(spool, by_file)["reason"].startswith("dataset D: 0 of 2 left today, next at 00:00 UTC")
    (row,) = json.loads(mine("dataset", "board", "-j", "D").out)
    assert (row["rank"], row["score"], row["session"], row["submissions"]) == (1, 100.010001, name, 2)
    assert "Published by the referee" in mine("dataset", "board", "D").out
    for record in (tmp_path / "team" / "submissions" / "D").glob("*/submission.json"):
        write_json(record, read_json(record) | {"score": 101.0})
    assert json.loads(mine("dataset", "board", "-j", "D").out) == [row]  # what a team writes at home is not the board
    assert [r.get("refused") for r in json.loads(mine("dataset", "board", "--mine", "-j", "D").out)] == [None, None, 1]
    assert "  0 of 2 left today, next at 00:00 UTC" in mine("dataset", "board", "--mine", "D").out
    assert [entry["result"] for entry in entries()] == ["scored", "scored", "refused"]
    shown = mine("dataset", "show", "D").out
    assert "scored by the referee of" in shown and "2 a day (UTC)" in shown
    assert "per_day = 2\n" in mine("dataset", "rules", "D").out
    assert "are those of its referee" in mine("dataset", "rules", "D", "per_day=9").err
    for words in ("dataset close -f", "dataset rescore", f"referee run --spool {tmp_path / 's'}"):
        assert "dataset D is scored by its referee" in mine(*words.split(), "D").err
    assert "so that its name stays" in nsml("dataset", "rename", "D", "E").err
    verified = nsml("referee", "verify", "D")
    assert verified.out.startswith("3 entries, unbroken; the last has the digest "), verified.err
    assert json.loads(mine("ps", "-a", "-j").out)[0]["score"] == 101.0
    nsml("dataset", "rules", "D", "metric=accuracy")
    nsml("referee", "D", "--spool", str(spool), "--once")
    assert json.loads(mine("ps", "-a", "-j").out)[0]["score"] is None  # of another metric than the board's


def test_a_team_follows_the_metric_and_the_direction_that_its_referee_has_now(
    nsml: Nsml, python: Nsml, spool: Path, tmp_path: Path, project: Path
) -> None:
    team = {"NSML_HOME": str(tmp_path / "team"), "NSML_USER": "me"}
    nsml("dataset", "push", "D", str(tmp_path / "d"), "--referee", str(spool), **team)
    home = open_home(tmp_path / "team")
    for score in (2.0, 1.0):
        session = create_session(home, "me", "D", {"entry": "main.py", "arguments": []})
        store(session.checkpoints, "best", lambda path: path.write_text("x") and None, elapsed=0.0, summary={"a": 1})
        record_score(open_submission(home, "D"), user="me", session=str(session.name), checkpoint="best", score=score)
    (project / "p.py").write_text("import os, nsml\nnsml.DATASET_PATH\nprint(os.environ['NSML_METRIC'])")

    def seen() -> tuple[list[str], bool, str]:
        rows = json.loads(nsml("ps", "-a", "--sort", "score", "-j", **team).out)
        compared = json.loads(nsml("compare", "-j", "D/1", "D/2", **team).out)
        metric = python("p.py", NSML_DATASET="D", **team).out.strip()
        scored = [row["name"] for row in rows if row["score"] is not None]
        return scored, compared["submitted"]["first"]["lower_is_better"], metric

    assert seen() == (["me/D/1", "me/D/2"], False, "fundus")
    nsml("dataset", "rules", "D", "metric=rmse")
    refereed(spool)
    assert seen() == (["me/D/2", "me/D/1"], True, "rmse")


def test_the_page_of_a_team_shows_the_board_of_its_referee(nsml: Nsml, spool: Path, tmp_path: Path) -> None:
    pytest.importorskip("nicegui", reason="the page needs nsml-local[web]")
    from nsml.web.board import board_content
    from nsml.web.site import Site
    from nsml.web.texts import Texts

    hand_in(spool, FACTS, WRONG, b"")
    refereed(spool)
    team = {"NSML_HOME": str(tmp_path / "team"), "NSML_USER": "me"}
    nsml("dataset", "push", "D", str(tmp_path / "d"), "--referee", str(spool), **team)
    home = open_home(tmp_path / "team")
    record_score(open_submission(home, "D"), user="rival", session="rival/D/1", checkpoint="best", score=101.0)
    shown = board_content(Site(home, False), find_dataset(home, "D"), "all", Texts("en"))
    assert [(row["rank"], row["session"], row["score"]) for row in shown.rows] == [(1, "me/D/1", "75.0075009167")]
    assert shown.by_user == {} and "Published by the referee just now, ledger " in shown.marks
    note = "No intervals: they need at least 20 patients, and there are 4"
    write_json(spool / "board.json", read_json(spool / "board.json") | {"note": note})
    korean = board_content(Site(home, False), find_dataset(home, "D"), "all", Texts("ko")).marks
    assert "구간 없음: 환자가 20명 이상이어야 하지만 4명입니다. 채점 계정의 공개: 방금, 원장 " in korean
    nsml("dataset", "rules", "D", "metric=rmse")
    refereed(spool)
    assert board_content(Site(home, False), find_dataset(home, "D"), "all", Texts("ko")).lower_is_better
    (spool / "board.json").unlink()  # as before the referee's first start
    assert not board_content(Site(home, False), find_dataset(home, "D"), "mine", Texts("en")).rows


def test_a_team_without_a_referee_that_answers_is_told_so(nsml: Nsml, spool: Path, tmp_path: Path) -> None:
    nsml("dataset", "push", "E", str(tmp_path / "d"), "--referee", str(spool))
    failed = nsml("submit", start_and_wait(nsml, dataset="E"), "best", "--limit", "2")
    assert failed.status == 1 and "the referee has not answered in 2 seconds; it will, in" in failed.err
    assert len(list((spool / "incoming").iterdir())) == 1
    refused = nsml("dataset", "push", "F", str(tmp_path / "d"), "--referee", str(tmp_path / "none"))
    assert refused.status == 2 and "rules.toml cannot be read" in refused.err


def test_a_team_chooses_at_the_referee_what_counts_at_the_close(spool: Path, nsml: Nsml) -> None:
    nsml("dataset", "rules", "D", "public_share=0.5", "public_seed=1", "metric=accuracy")

    def choose(checkpoint: str, model: str = "d" * 64, final: bool = True) -> dict[str, Any]:
        facts = {**FACTS, "checkpoint": checkpoint, "model": model, "final": final}
        name = hand_in(spool, facts, b"", b"")
        refereed(spool)
        return answer_to(spool, name)

    for checkpoint in "0123":
        hand_in(spool, {**FACTS, "checkpoint": checkpoint}, WRONG, b"")
    refereed(spool)
    assert choose("0")["says"].endswith("is final; 1 of 2 are chosen") and choose("0", "e" * 64)["says"] == ""
    assert choose("1")["result"] == "chosen"
    assert "2 submissions are final already, me/D/1 0 and me/D/1 1" in choose("2")["reason"]
    assert choose("0", final=False)["says"] == "Submission 1 is no longer final"
    assert choose("2")["result"] == "chosen" and verify(open_home(), "D")[2] == []
    assert [r["number"] for r in submissions() if r["final"] is not None] == ["2", "3"]
    (open_home().submissions / "D" / "3" / "final.json").unlink()
    assert verify(open_home(), "D")[2] == ["submission 3 is not final, in the ledger it is"]
    nsml("dataset", "close", "-f", "D")
    assert "the competition was closed" in choose("3")["reason"]


def test_the_published_intervals_are_those_of_the_public_part_until_the_close(nsml: Nsml, tmp_path: Path) -> None:
    folder, spool = tmp_path / "d", tmp_path / "spool"
    for part in ("train", "test/test_data"):
        (folder / part).mkdir(parents=True)
        (folder / part / "x").touch()
    names = [f"{number:02}_{eye}.png" for number in range(48) for eye in "LR"]
    labels = dict(zip(names, (number % 4 for number in range(96)), strict=True))
    (folder / "test" / "test_label").write_text("".join(f"a,{name},{label}\n" for name, label in labels.items()))
    (tmp_path / "rules.toml").write_text('metric = "accuracy"\npublic_share = 0.5\npublic_seed = 1\n')
    nsml("dataset", "push", "D", str(folder), "--rules", str(tmp_path / "rules.toml"))
    public = (find_dataset(open_home(), "D").public).read_text().replace("a,", "").split("\n")

    def published() -> list[dict[str, Any]]:
        assert nsml("referee", "D", "--spool", str(spool), "--once").status == 0
        board = read_published(spool, "board.json")
        assert board["note"].startswith("95 % intervals from 2,000 resamples of 24 patients")
        return [
            {name: row[name] for name in ("user", "low", "high", "first_rank", "last_rank")} for row in board["rows"]
        ]

    nsml("referee", "D", "--spool", str(spool), "--once")
    boards = []
    for wrong in (0, 40):
        private = [name for name in names if name not in public][:wrong]
        turned = {*public[:6], *private}
        lines = "".join(f"a,{name},{(label + (name in turned)) % 4}\n" for name, label in labels.items())
        hand_in(spool, {**FACTS, "checkpoint": f"{wrong}", "model": f"{wrong:064}"}, lines.encode(), b"")
        boards.append(published())
    assert boards[0] == boards[1] and boards[0][0]["low"] < 0.875 < boards[0][0]["high"]
    assert boards[0][0]["low"] == round(boards[0][0]["low"], 4)
    nsml("dataset", "push", "E", str(folder), "--referee", str(spool))
    shown = nsml("dataset", "board", "E").out
    assert "resamples of 24 patients" in shown and f"{boards[0][0]['low']:.4g} to " in shown
    nsml("dataset", "close", "-f", "D")
    assert published()[0]["low"] == 1.0  # of two that are equal on the public part, the earlier counts
    assert "50 % of the test set is public, closed " in nsml("dataset", "show", "E").out


def as_user(uid: int, work: Callable[[], Any]) -> Any:
    """The result of `work` in a process of that account; an OSError is returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            try:
                result = work()
            except (OSError, NsmlError) as error:
                result = error
            os.write(writer, pickle.dumps(result))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        content = file.read()
    os.waitpid(child, 0)
    return pickle.loads(content)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step",
    ["open_submission", "record_score", "Ledger.append", "close_submission", "Referee._answer", "Referee._remove"],
)
def test_a_referee_that_ends_at_any_step_loses_and_doubles_nothing(
    spool: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    name = hand_in(spool, FACTS, WRONG, b"log")
    owner = module
    for part in step.split(".")[:-1]:
        owner = getattr(owner, part)
    real = getattr(owner, step.rpartition(".")[2])

    def end(*arguments: Any, **keywords: Any) -> None:
        if when == "after":
            real(*arguments, **keywords)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(owner, step.rpartition(".")[2], end)
        refereed(spool)
    refereed(spool)
    assert [(r["score"], r["session"]) for r in submissions()] == [(75.0075009167, "me/D/1")]
    assert [(entry["name"], entry["result"]) for entry in entries()] == [(name, "scored")]
    assert answer_to(spool, name)["score"] == 75.0075009167
    assert list((spool / "incoming").iterdir()) == []
    assert verify(open_home(), "D")[2] == []


def test_killed_again_and_again_every_submission_is_scored_once(spool: Path) -> None:
    names = [hand_in(spool, {**FACTS, "checkpoint": f"{n}"}, RIGHT, b"") for n in range(8)]
    for pause in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9):
        child = os.fork()
        if child == 0:
            try:
                refereed(spool)
            finally:
                os._exit(0)
        time.sleep(pause)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    refereed(spool)
    assert sorted(r["checkpoint"] for r in submissions()) == [f"{n}" for n in range(8)]
    assert sorted(entry["name"] for entry in entries()) == sorted(names)
    assert verify(open_home(), "D")[2] == []


def test_a_last_line_that_was_half_written_is_removed_and_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.jsonl")
    ledger.append({"name": "a"})
    with pytest.raises(NsmlError, match="open in another referee"):
        Ledger(tmp_path / "l.jsonl")
    ledger.close()
    with open(tmp_path / "l.jsonl", "ab") as file:
        file.write(b'{"before": "00')
    again = Ledger(tmp_path / "l.jsonl")
    again.append({"name": "b"})
    again.close()
    assert [entry["name"] for entry in read_ledger(tmp_path / "l.jsonl")[0]] == ["a", "b"]


@pytest.mark.parametrize("change", ["score", "order", "removed", "added"])
def test_a_line_of_the_ledger_that_is_changed_is_found(spool: Path, change: str, nsml: Nsml) -> None:
    for n in range(3):
        hand_in(spool, {**FACTS, "checkpoint": f"{n}"}, WRONG, b"")
    refereed(spool)
    path = ledger_path(open_home(), "D")
    lines = path.read_bytes().splitlines(True)
    lines = {
        "score": [lines[0].replace(b"75.0075009167", b"99.0075009167"), *lines[1:]],
        "order": [lines[1], lines[0], lines[2]],
        "removed": [lines[0], lines[2]],
        "added": [lines[0], lines[0], *lines[1:]],
    }[change]
    path.write_bytes(b"".join(lines))
    refused = nsml("referee", "verify", "D")
    assert refused.status == 1 and "does not follow line" in refused.err
    with pytest.raises(Damaged):
        refereed(spool)


def test_lines_that_are_gone_from_the_end_are_found_by_a_digest_that_was_published(spool: Path, nsml: Nsml) -> None:
    for n in range(2):
        hand_in(spool, {**FACTS, "checkpoint": f"{n}"}, WRONG, b"")
    refereed(spool)
    head = read_published(spool, "board.json")["head"]
    path = ledger_path(open_home(), "D")
    assert nsml("referee", "verify", "D", "--head", head).status == 0
    path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:1]))
    refused = nsml("referee", "verify", "D", "--head", head)
    assert refused.status == 1 and f"no line has the digest {head}" in refused.out
    assert "submission 2 of" in refused.out and "is not in the ledger" in refused.out


def test_a_score_or_predictions_that_are_not_the_ledgers_are_named(spool: Path, nsml: Nsml) -> None:
    hand_in(spool, FACTS, WRONG, b"")
    refereed(spool)
    folder = open_home().submissions / "D" / "1"
    write_json(folder / "submission.json", read_json(folder / "submission.json") | {"score": 99.0, "user": "friend"})
    (folder / "predictions.csv").write_bytes(RIGHT)
    shown = nsml("referee", "verify", "D").out
    assert "submission 1: user is 'friend', in the ledger" in shown and "the score is 99.0, in the ledger 75.0" in shown
    assert "its predictions are not those of the ledger" in shown


def test_corrected_labels_leave_the_ledger_as_it_is(spool: Path, nsml: Nsml, tmp_path: Path) -> None:
    hand_in(spool, FACTS, RIGHT, b"")
    refereed(spool)
    labels = tmp_path / "d" / "test" / "test_label"
    labels.write_text(labels.read_text().replace(",3\n", ",0\n"))
    nsml("dataset", "rm", "-f", "D")
    nsml("dataset", "push", "D", str(tmp_path / "d"))
    nsml("dataset", "rescore", "D")
    assert submissions()[0]["score"] < 100 and verify(open_home(), "D")[2] == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\nx",
        b'{"session": 1}\n',
        b"\x00" * 1000,
        b"9" * 5000,
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
def test_a_packet_of_another_form_is_refused_in_a_line(content: bytes) -> None:
    with pytest.raises(NsmlError, match="hand it in with 'nsml submit'"):
        read_packet(content, "name")


def test_what_is_no_submission_is_answered_and_removed(spool: Path) -> None:
    incoming = spool / "incoming"
    text, link, pipe, folder, large = (f"{n}" * 32 for n in range(5))
    (incoming / text).write_text("hello")
    (incoming / link).symlink_to("/etc/passwd")
    os.mkfifo(incoming / pipe)
    (incoming / folder).mkdir()
    (incoming / folder / "file").touch()
    with open(incoming / large, "wb") as file:
        file.truncate(1 << 40)
    hand_in(spool, {**FACTS, "session": "../../x"}, b"nonsense\n", b"")
    (incoming / ".half").write_text("not yet")
    refereed(spool)
    assert [entry["result"] for entry in entries()] == ["failed"] * 6
    assert [path.name for path in incoming.iterdir()] == [".half"]
    assert "more than 268,435,456 bytes" in answer_to(spool, large)["reason"]
    assert submissions() == []


def test_a_referee_whose_dataset_is_removed_says_so(spool: Path, nsml: Nsml) -> None:
    referee = Referee(open_home(), find_dataset(open_home(), "D"), spool, quiet)
    nsml("dataset", "rm", "-f", "D")
    with pytest.raises(NsmlError, match="there is no dataset D"):
        referee.run(once=True)


def test_what_cannot_be_removed_stops_no_referee(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (spool / "incoming" / ("1" * 32)).mkdir()
    (spool / "incoming" / "mounted").mkdir()

    def fail(path: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(module, "discard", fail)  # as where a team has mounted a file system
    name = hand_in(spool, FACTS, RIGHT, b"")
    refereed(spool)
    assert answer_to(spool, name)["result"] == "scored"
    refereed(spool)
    assert len(entries()) == 2 and sorted(os.listdir(spool / "incoming")) == ["1" * 32, "mounted"]


def test_files_of_another_name_are_removed_and_counted_in_a_line(spool: Path) -> None:
    names = (b"text", b"n" * 255, b"\xff\n", b"A" * 32)
    for name in names:
        Path(os.fsdecode(bytes(spool / "incoming") + b"/" + name)).write_bytes(b"")
    said: list[str] = []
    refereed(spool, said.append)
    (line,) = said
    assert ": 4 removed unread, the last '" in line and line.isprintable()
    assert os.listdir(spool / "incoming") == [] and entries() == []


@needs_root
def test_an_account_that_hands_in_junk_takes_no_more_room_and_time_than_it_is_given(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_UNSCORED", 3)
    monkeypatch.setattr(module, "_MOST_WAITING", 7)

    def junk() -> None:
        for number in range(20):
            (spool / "incoming" / f"{number:032x}").write_bytes(b"junk")
            (spool / "incoming" / f".{number}").write_bytes(b"not yet")

    said: list[str] = []
    for _ in range(3):
        as_user(60001, junk)
        name = as_user(60002, lambda: hand_in(spool, FACTS, WRONG, b""))
        refereed(spool, said.append)
        assert answer_to(spool, name)["result"] == "scored"
        assert len(os.listdir(spool / "incoming")) <= 7
    assert [entry["uid"] for entry in entries()].count(60001) == 3 == len(entries()) - 3
    assert len(os.listdir(spool / "answers")) == 6
    assert len([line for line in said if "uid60001: " in line and " removed unread" in line]) <= 2 * 3
    assert any(line.endswith(f"; touch {spool}/released-uid60001 ends that") for line in said)
    (spool / "released-uid60001").touch()
    as_user(60001, lambda: hand_in(spool, FACTS, RIGHT, b""))
    refereed(spool)
    assert entries()[-1]["uid"] == 60001 and entries()[-1]["result"] == "scored"
    (spool / "released-uid60001").unlink()
    # An hour later it is read again.
    monkeypatch.setattr(module, "UNSCORED_WITHIN", 0.0)
    as_user(60001, lambda: hand_in(spool, FACTS, RIGHT, b""))
    refereed(spool)
    assert entries()[-1]["uid"] == 60001 and entries()[-1]["result"] == "scored"


def test_what_killed_hand_ins_left_neither_waits_nor_counts(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    for number in range(4):
        (spool / "incoming" / f".left-{number}").write_bytes(b"half")
    monkeypatch.setattr(module, "_WRITING", -60.0)  # an hour later
    name = hand_in(spool, FACTS, RIGHT, b"")
    refereed(spool)
    assert answer_to(spool, name)["result"] == "scored" and os.listdir(spool / "incoming") == []


def test_a_team_is_told_why_its_submission_was_removed_unread(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsml.scoring.spool._SILENCE", 0.1)
    name = hand_in(spool, FACTS, RIGHT, b"")
    with pytest.raises(NsmlError, match="has not answered in 0 seconds"):
        wait_for_answer(spool, name, 0.3)
    (spool / "incoming" / name).unlink()
    with pytest.raises(NsmlError, match="60 within an hour were refused or failed; wait up to an hour"):
        wait_for_answer(spool, name, 60)


def test_a_submission_that_cannot_be_written_takes_no_room_in_the_spool(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NsmlError, match="cannot be written: No space left on device; ask the organiser"):
        hand_in(spool, FACTS, RIGHT, b"")
    assert list((spool / "incoming").iterdir()) == []


def test_what_cannot_be_scored_stops_no_referee(spool: Path) -> None:
    tried = [
        ("\ud800", RIGHT, "does not fit"),
        ("a\x1b[2J", RIGHT, "does not fit"),
        ("a", b"0\n" * 100_000, "200,000 bytes for 4 predictions"),
        ("a", b"\xff\xfe\x00" * 9, "predictions.csv is not text"),
        ("a", b"test_data,000.png," + b"9" * 3000 + b"\n", "file predictions.csv, entry 1"),
    ]
    names = [hand_in(spool, {**FACTS, "session": session}, predictions, b"") for session, predictions, _ in tried]
    last = hand_in(spool, FACTS, RIGHT, b"")
    refereed(spool)
    for name, (_, _, reason) in zip(names, tried, strict=True):
        assert answer_to(spool, name)["result"] == "failed" and reason in answer_to(spool, name)["reason"]
    assert answer_to(spool, last)["result"] == "scored" and verify(open_home(), "D")[2] == []


def test_what_a_referee_refuses_takes_no_room_in_the_organisers_home(nsml: Nsml, spool: Path) -> None:
    nsml("dataset", "rules", "D", "total=1")
    for checkpoint, predictions, log in (
        ("0", b"0\n" * 1_000_000, b""),
        ("1", RIGHT, b"x" * 2_000_000),
        ("2", RIGHT, b""),
        ("3", RIGHT, b""),
    ):
        hand_in(spool, {**FACTS, "checkpoint": checkpoint}, predictions, log)
        refereed(spool)
    assert [entry["result"] for entry in entries()] == ["failed", "failed", "scored", "refused"]
    stored = [path for path in (open_home().submissions / "D").rglob("*") if path.is_file()]
    assert [path.parent.name for path in stored if path.name == "predictions.csv"] == ["2"]
    assert sum(path.stat().st_size for path in stored) < 10_000


def test_of_large_predictions_that_the_organisers_scorer_fails_on_the_beginning_is_stored(
    nsml: Nsml, tmp_path: Path
) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text("raise SystemExit('wrong')\n")
    nsml("dataset", "push", "D", str(source))
    nsml("referee", "D", "--spool", str(tmp_path / "spool"), "--once")
    large = RIGHT.replace(b",0\n", b"," + b"0" * 2_000_000 + b"\n")
    hand_in(tmp_path / "spool", FACTS, large, b"")
    refereed(tmp_path / "spool")
    folder = open_home().submissions / "D" / "1"
    assert "evaluation.py failed (exit status 1): wrong" in entries()[0]["reason"]
    assert (folder / "predictions.csv").stat().st_size == 1 << 20
    assert f"cut to 1,048,576 of {len(large):,} bytes" in (folder / "log.txt").read_text()


@pytest.mark.parametrize(
    ("labels", "handed_in"),
    [
        (RIGHT, b""),
        (RIGHT, b"test_data,000.png,0\n"),
        (RIGHT, 4 * b"test_data,000.png,0\n"),
        (RIGHT, b"0\n"),
        (RIGHT, RIGHT + b"test_data,4.png,0\n"),
        (b"0\n1\n2\n3\n", b""),
        (b"0\n1\n2\n3\n", b"test_data,000.png,0\n"),
    ],
)
def test_the_organisers_scorer_is_not_asked_where_photographs_are_left_out_or_named_twice(
    nsml: Nsml, tmp_path: Path, labels: bytes, handed_in: bytes
) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").write_bytes(labels)
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text("print(1)\n")
    nsml("dataset", "push", "D", str(source))
    nsml("referee", "D", "--spool", str(tmp_path / "spool"), "--once")
    hand_in(tmp_path / "spool", FACTS, handed_in, b"")
    refereed(tmp_path / "spool")
    (entry,) = entries()
    assert entry["result"] == "failed", entry
    assert f"{len(handed_in.splitlines())} lines for 4 images" in entry["reason"]
    hand_in(tmp_path / "spool", FACTS, RIGHT, b"")
    refereed(tmp_path / "spool")
    assert entries()[1]["score"] == 1


@needs_root
def test_an_account_that_hands_in_many_does_not_keep_another_waiting(spool: Path) -> None:
    for checkpoint in "012":
        as_user(60001, lambda checkpoint=checkpoint: hand_in(spool, {**FACTS, "checkpoint": checkpoint}, WRONG, b""))
    as_user(60002, lambda: hand_in(spool, FACTS, WRONG, b""))
    refereed(spool)
    assert [entry["uid"] for entry in entries()] == [60001, 60002, 60001, 60001]


def test_a_scorer_that_fails_in_an_unforeseen_way_stops_no_referee(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "score", fail)
    name = hand_in(spool, FACTS, RIGHT, b"")
    refereed(spool)
    assert answer_to(spool, name)["reason"] == "it cannot be scored (MemoryError); ask the organiser"


@needs_root
def test_the_owner_of_the_file_is_the_team_whatever_is_written_in_it(spool: Path) -> None:
    for uid in (60001, 60002):
        as_user(uid, lambda: hand_in(spool, {**FACTS, "session": "uid60001/D/1"}, RIGHT, b""))
    refereed(spool)
    assert sorted(r["user"] for r in submissions()) == ["uid60001", "uid60002"]
    board = as_user(60001, lambda: read_published(spool, "board.json"))
    assert {row["user"] for row in board["rows"]} == {"uid60001", "uid60002"}


@needs_root
def test_an_account_can_neither_read_nor_change_what_is_not_its_own(spool: Path, home: Path) -> None:
    name = as_user(60001, lambda: hand_in(spool, FACTS, WRONG, b""))
    theirs = spool / "incoming" / name
    labels = home / "datasets" / "D" / "hidden" / "test" / "test_label"
    tried: dict[str, Callable[[], Any]] = {
        "read the labels": labels.read_bytes,
        "read the public part": (home / "datasets" / "D" / "hidden" / "public").read_bytes,
        "read the predictions of another": lambda: os.listdir(home / "submissions" / "D"),
        "list the home": lambda: os.listdir(home),
        "read the ledger": ledger_path(open_home(), "D").read_bytes,
        "append to the ledger": lambda: os.open(ledger_path(open_home(), "D"), os.O_WRONLY | os.O_APPEND),
        "read what the organiser's process has open": lambda: os.listdir(f"/proc/{os.getppid()}/fd"),
        "read its memory": lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
        "end it": lambda: os.kill(os.getppid(), signal.SIGKILL),
        "list the spool": lambda: os.listdir(spool / "incoming"),
        "remove a submission of another": theirs.unlink,
        "rename it": lambda: theirs.rename(theirs.with_name("mine")),
        "write into it": lambda: theirs.write_bytes(b"x"),
        "put another in its place": lambda: theirs.with_name(hand_in(spool, FACTS, RIGHT, b"")).rename(theirs),
        "give a file of one's own to another": lambda: os.chown(
            theirs.with_name(hand_in(spool, FACTS, RIGHT, b"")), 60001, 60001
        ),
        "link to the labels, whose owner the organiser is": lambda: os.link(labels, theirs.with_name("9" * 32)),
        "make a device": lambda: os.mknod(theirs.with_name("8" * 32), 0o600 | stat.S_IFBLK, os.makedev(8, 0)),
        "replace the board": lambda: (spool / "board.json").write_text("{}"),
        "remove the board": (spool / "board.json").unlink,
        "forge an answer": lambda: (spool / "answers" / f"{name}.json").write_text("{}"),
        "put a spool in the place of the spool": lambda: (spool / "incoming").rename(spool / "other"),
    }
    for what, attack in tried.items():
        assert isinstance(as_user(60002, attack), PermissionError), what
    refereed(spool)
    # Those that could not be moved or given away are still his own.
    scored = sorted((r["user"], r["score"]) for r in submissions())
    assert scored == [("uid60001", 75.0075009167), *[("uid60002", 100.010001)] * 2]
    assert isinstance(as_user(60002, lambda: (spool / "answers" / f"{name}.json").write_text("{}")), PermissionError)


@needs_root
def test_an_answer_is_read_by_who_knows_its_name_and_the_names_cannot_be_listed(spool: Path) -> None:
    (spool / "answers").chmod(0o755)  # as older versions made it
    name = as_user(60001, lambda: hand_in(spool, FACTS, WRONG, b""))
    refereed(spool)
    assert as_user(60001, lambda: wait_for_answer(spool, name, 5)["score"]) == 75.0075009167
    assert isinstance(as_user(60002, lambda: os.listdir(spool / "answers")), PermissionError)


@needs_root
def test_a_file_that_its_owner_replaces_again_and_again_is_scored_once_and_as_it_was_read(
    spool: Path, home: Path
) -> None:
    (home / "datasets" / "D" / "hidden" / "test" / "test_label").chmod(0o644)  # so that only the link is in question
    name = "7" * 32
    contents = [
        json.dumps({"name": name, **FACTS, "predictions": len(answers), "log": 0}).encode() + b"\n" + answers
        for answers in (RIGHT, WRONG)
    ]
    child = os.fork()
    if child == 0:
        try:
            os.setgid(60002)
            os.setuid(60002)
            while True:
                for turn in range(4):
                    beside = spool / "incoming" / f".mine-{turn}"
                    beside.unlink(missing_ok=True)
                    if turn < 2:
                        beside.write_bytes(contents[turn])
                    elif turn == 2:
                        beside.symlink_to(home / "datasets" / "D" / "hidden" / "test" / "test_label")
                    else:
                        os.mkfifo(beside)
                    with contextlib.suppress(FileNotFoundError):
                        beside.rename(spool / "incoming" / name)
        finally:
            os._exit(0)
    until = time.monotonic() + 30
    while not entries() and time.monotonic() < until:
        judge = Referee(open_home(), find_dataset(open_home(), "D"), spool, quiet)
        for waiting in judge._waiting():
            judge._take(waiting)
        judge.ledger.close()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    (entry,) = entries()
    assert entry["uid"] == 60002 and "test_data" not in entry.get("reason", "")
    assert [r["score"] for r in submissions()] in ([], [75.0075009167], [100.010001])
    assert verify(open_home(), "D")[2] == []


@needs_root
def test_a_link_to_the_file_of_another_does_not_count_for_him(spool: Path) -> None:
    """The kernel forbids such links (fs.protected_hardlinks), but not everywhere."""
    name = as_user(60001, lambda: hand_in(spool, FACTS, WRONG, b""))
    os.link(spool / "incoming" / name, spool / "incoming" / ("a" * 32))
    refereed(spool)
    os.link(ledger_path(open_home(), "D"), spool / "incoming" / ("b" * 32))
    refereed(spool)
    assert [r["user"] for r in submissions()] == ["uid60001"]
    assert sorted(entry["result"] for entry in entries()) == ["failed", "scored"]  # the ledger's is no submission


@needs_root
def test_a_spool_of_another_account_is_refused(spool: Path) -> None:
    other = spool.parent / "other"
    other.mkdir()
    os.chown(other, 60001, 60001)
    with pytest.raises(NsmlError, match="belongs to another user"):
        refereed(other)


@needs_root
def test_an_answer_that_is_not_the_organisers_is_not_believed(spool: Path) -> None:
    write_json(spool / "answers" / "x.json", {"score": 100})
    os.chown(spool / "answers" / "x.json", 60002, 60002)
    with pytest.raises(Damaged, match="not the organiser's"):
        answer_to(spool, "x")


@needs_root
def test_the_time_of_a_submission_cannot_be_set_back(spool: Path, nsml: Nsml) -> None:
    nsml("dataset", "rules", "D", "deadline=2026-01-01T00:00:00Z")
    name = as_user(60001, lambda: hand_in(spool, FACTS, WRONG, b""))
    as_user(60001, lambda: os.utime(spool / "incoming" / name, (0, 0)))
    refereed(spool)
    assert "the deadline was 2026-01-01" in answer_to(spool, name)["reason"] and submissions() == []

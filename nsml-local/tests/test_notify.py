"""`nsml run --notify`: one message at the end, to a webhook or to a command, which never touches the session."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import Nsml, wait_until
from hypothesis import given
from hypothesis import strategies as st

from nsml.engine import notify
from nsml.errors import NsmlError
from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.sessions import ENDED, list_sessions

SWEPT = """\
import argparse, os
import nsml
parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=0)
args = parser.parse_args()
nsml.report(summary=True, step=1, val__score=args.width / 10)
raise SystemExit(0 if args.width or os.path.exists(os.environ.get("MAY_GO_ON", "/nowhere")) else 3)
"""


class Receiver:
    """A webhook on this machine, and the messages that it got."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/hook")
                elif self.path == "/gone":
                    self.send_response(404)
                    self.end_headers()
                    self.wfile.write(b"no_service")
                    return
                else:
                    assert self.headers["Content-Type"].startswith("application/json")
                    outer.messages.append(json.loads(body))
                    self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def _writes_to(path: Path) -> str:
    """A command that appends what it reads to a file, as one line."""
    program = f"import sys; open({str(path)!r}, 'a').write(sys.stdin.read() + chr(10))"
    return shlex.join([sys.executable, "-c", program])


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _end() -> None:
    wait_until(lambda: all(session.status() in ENDED for session in list_sessions(open_home())))


def test_a_webhook_gets_one_message_with_status_and_values(nsml: Nsml, receiver: Receiver, home: Path) -> None:
    started = nsml("run", "-m", "first try", "--notify", f"{receiver.url}/secret-hook")
    assert started.status == 0, started.err
    wait_until(lambda: bool(receiver.messages))
    (message,) = receiver.messages
    assert message["session"] == "tester/none/1" and message["status"] == "Exited" and message["exit_status"] == 0
    assert message["values"] == {"step": 1, "train/loss": 0.5} and message["memo"] == "first try"
    assert message["text"] == message["content"]
    assert message["text"].startswith("Session tester/none/1: Exited, exit status 0, after ")
    assert "step=1, train/loss=0.5\nfirst try" in message["text"]
    folder = home / "sessions" / "tester" / "none" / "1"
    shown = [folder / name for name in ("launch.json", "session.json", "state.json", "log.txt")]
    assert not any("secret-hook" in path.read_text() for path in shown)


def test_a_command_reads_why_a_session_failed_and_nothing_in_it_calls_people(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    (project / "main.py").write_text("raise ValueError('no disk \\x1b[31m @everyone <!channel>')\n")
    nsml("run", NSML_NOTIFY=_writes_to(tmp_path / "got"))
    wait_until(lambda: bool(_lines(tmp_path / "got")))
    (message,) = _lines(tmp_path / "got")
    assert message["status"] == "Failed" and message["exit_status"] == 1
    assert "ValueError: no disk" in message["text"]
    assert not any(letter in message["text"] for letter in "<>@\x1b")


def test_values_of_a_program_are_cut_and_cleaned(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    report = "nsml.report(summary=True, **{f'v{n}': '\\x1b' + 'x' * 10000 for n in range(500)}, bad=float('nan'))\n"
    (project / "main.py").write_text(f"import nsml\n{report}")
    nsml("run", "--notify", _writes_to(tmp_path / "got"))
    wait_until(lambda: bool(_lines(tmp_path / "got")))
    (message,) = _lines(tmp_path / "got")
    assert len(json.dumps(message)) < 8000 and "\\u001b" not in json.dumps(message)


@pytest.mark.parametrize(
    ("path", "reason"), [("/moved", "HTTP 302"), ("/gone", "HTTP 404 Not Found: no_service"), (None, "refused")]
)
def test_a_message_that_does_not_arrive_is_said_in_the_log_and_changes_nothing(
    nsml: Nsml, receiver: Receiver, path: str | None, reason: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/hook"
        nsml("run", "--notify", f"{receiver.url}{path}" if path else nobody)
        wait_until(lambda: "did not reach 127.0.0.1" in nsml("logs", "none/1").out)
    assert reason in nsml("logs", "none/1").out
    (session,) = list_sessions(open_home())
    assert session.state()["status"] == "Exited" and session.state()["exit_status"] == 0
    assert receiver.messages == []


def test_a_command_that_fails_is_said_with_what_it_wrote(nsml: Nsml) -> None:
    nsml("run", "--notify", "sh -c 'echo no such mailbox >&2; exit 4'")
    wait_until(lambda: "did not reach sh: exit status 4: no such mailbox" in nsml("logs", "none/1").out)


@pytest.mark.parametrize("kind", ["command", "webhook"])
def test_a_receiver_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: Any, kind: str) -> None:
    monkeypatch.setattr(notify, "_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        receiver = notify.check_receiver("sh -c 'sleep 60 & wait'" if kind == "command" else hook)
        write_json(tmp_path / "notify.json", receiver)
        began = time.monotonic()
        assert "no answer within" in notify.send(tmp_path, {"text": "done"})
    assert time.monotonic() - began < 10


def test_a_sweep_sends_one_message_and_one_more_after_a_resume(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text(SWEPT)
    nsml("run", "--env", "current", "--grid", "width=2,0,7", "--notify", _writes_to(tmp_path / "got"))
    wait_until(lambda: bool(_lines(tmp_path / "got")))
    (message,) = _lines(tmp_path / "got")
    assert message["sweep"] == "tester/none/sweep-1" and message["statuses"] == {"Exited": 2, "Failed": 1}
    assert message["best"]["session"] == "tester/none/3" and message["best"]["arguments"] == {"width": "7"}
    assert "best val/score: tester/none/3 with 0.7 (width=7)" in message["text"]
    (tmp_path / "go").touch()
    nsml("resume", "none/sweep-1", MAY_GO_ON=str(tmp_path / "go"))
    wait_until(lambda: len(_lines(tmp_path / "got")) == 2)
    assert _lines(tmp_path / "got")[1]["statuses"] == {"Exited": 3}
    nsml("resume", "none/sweep-1")
    time.sleep(0.3)
    assert len(_lines(tmp_path / "got")) == 2


def test_an_isolated_program_knows_no_receiver_and_the_message_is_sent_all_the_same(
    nsml: Nsml, isolated: Path, project: Path, receiver: Receiver
) -> None:
    look = "import nsml, os\nseen = os.listdir(os.path.dirname(os.environ['NSML_LAUNCH']))\n"
    tell = "nsml.report(summary=True, seen=' '.join(sorted(seen)), given='NSML_NOTIFY' in os.environ)\n"
    (project / "main.py").write_text(look + tell)
    nsml("run", "-d", "FUNDUS", NSML_NOTIFY=f"{receiver.url}/hook")
    wait_until(lambda: bool(receiver.messages))
    (message,) = receiver.messages
    assert message["status"] == "Exited", message
    assert "launch.json" in message["values"]["seen"] and "notify" not in message["values"]["seen"]
    assert message["values"]["given"] in (False, "False")


def test_a_session_that_is_refused_sends_nothing(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    (project / "main.py").write_text("import time\ntime.sleep(600)\n")
    nsml("run", "-c", "1000")
    refused = nsml("run", "-c", "1000", "--no-wait", "--notify", _writes_to(tmp_path / "got"))
    assert refused.status == 2
    nsml("stop", "-f", "none/1")
    time.sleep(0.3)
    assert _lines(tmp_path / "got") == []


@pytest.mark.parametrize(
    "text", ["ftp://host/x", "http://", "https://u:p@host/", "http://h:99999/", "no-such-program", "", "echo 'x", "https://h/ä"]
)  # fmt: skip
def test_what_cannot_receive_is_refused_at_the_start_in_one_line(nsml: Nsml, text: str) -> None:
    refused = nsml("run", "--notify", text)
    assert refused.status == 2 and refused.err.count("\n") == 1 and "--notify" in refused.err
    assert list_sessions(open_home()) == []


@pytest.mark.parametrize(
    "text",
    ["cat > x", "cat 2>x", "cat | tail", "cat; true", "cat && true", "cat &", "cat $HOME/x", "cat `ls`", "cat ~/x"],
)
def test_what_only_a_shell_understands_is_refused_with_the_command_that_has_one(text: str) -> None:
    with pytest.raises(NsmlError, match=re.escape(f"give sh -c '{text}'")):
        notify.check_receiver(text)
    for quoted in (f"sh -c '{text}'", "cat 'a > b' \"c | d\" e\\;", "cat https://host/?a=1&b=2"):
        assert "command" in notify.check_receiver(quoted)


@given(st.text() | st.text().map("https://".__add__))
def test_any_text_is_a_receiver_or_refused(text: str) -> None:
    try:
        receiver = notify.check_receiver(text)
    except NsmlError:
        return
    assert set(receiver) in ({"url"}, {"command", "folder"})

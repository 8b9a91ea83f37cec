"""Access control and output of the server of `nsml web`."""

from __future__ import annotations

import http.client
import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from helpers import run_command, wait_until
from web_server import Home, Server, make_home

from nsml.errors import install
from nsml.store.checkpoints import store
from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.metrics import MetricsWriter
from nsml.store.processes import identity
from nsml.store.sessions import create_session
from nsml.store.submissions import open_submission, record_score

pytest.importorskip("nicegui", reason="the page needs nsml-local[web]")

SECRET = "the organiser's labels"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = make_home(tmp_path_factory.mktemp("web"))
    (home.path / "secret.txt").write_text(SECRET)
    return home


@pytest.fixture(scope="module")
def server(place: Home) -> Iterator[Server]:
    with Server(place) as started:
        yield started


@pytest.fixture(scope="module")
def open_server(place: Home) -> Iterator[Server]:
    """A server that listens on all addresses."""
    with Server(place, "--host", "0.0.0.0", "--read-only") as started:
        yield started


def test_it_listens_on_this_machine_only(server: Server) -> None:
    listening = [c for c in psutil.Process(server.process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_requests_to_its_own_names_succeed(server: Server) -> None:
    names = [f"localhost:{server.port}", f"127.0.0.1:{server.port}", f"LOCALHOST:{server.port}"]
    assert [server.ask("/", Host=name).status for name in names] == [200, 200, 200]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/dataset/NOPE", "there is no dataset NOPE"),
        ("/dataset/no%20name", "is not a name"),
        ("/session/tester/FUNDUS/99", "there is no session tester/FUNDUS/99"),
        ("/session/tester/FUNDUS/x", "is not USER/DATASET/NUMBER"),
        ("/sweep/tester/FUNDUS/sweep-9", "there is no sweep tester/FUNDUS/sweep-9"),
        ("/sweep/tester/FUNDUS/9x", "9x is not the name of a sweep"),
        ("/graph?session=tester/FUNDUS/99", "there is no session tester/FUNDUS/99"),
        ("/diff?first=tester/FUNDUS/99&second=tester/FUNDUS/98", "there is no session tester/FUNDUS/99"),
        ("/report?session=tester/FUNDUS/99", "there is no session tester/FUNDUS/99"),
    ],
)
def test_a_page_on_what_does_not_exist_says_so_and_is_not_found(server: Server, path: str, why: str) -> None:
    answer = server.ask(path)
    assert answer.status == 404 and why in answer.content.decode()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:18553", ""])
def test_another_host_name_is_refused_against_dns_rebinding(server: Server, host: str) -> None:
    answer = server.ask("/", Host=host)
    assert answer.status == 400
    assert b"unknown host name" in answer.content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_requests_that_could_change_something_are_refused(server: Server, method: str) -> None:
    answers = [server.ask(path, method).status for path in ("/", "/dataset/FUNDUS", "/_nicegui_ws/socket.io/")]
    assert answers == [405, 405, 405]


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://localhost:1"])
def test_another_sites_page_cannot_open_the_websocket(server: Server, origin: str | None) -> None:
    assert _handshake(server, origin) == 403


def test_its_own_page_can_open_the_websocket(server: Server) -> None:
    assert _handshake(server, server.address) == 101


def _handshake(server: Server, origin: str | None) -> int:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    if origin is not None:
        headers["Origin"] = origin
    return server.ask("/_nicegui_ws/socket.io/?EIO=4&transport=websocket", **headers).status


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "//secret.txt",
        "/_nicegui/../../secret.txt",
        "/secret.txt%00",
        "/dataset/..%2f..%2fsecret.txt",
        "/session/tester/FUNDUS/..%2f..%2f..%2fsecret.txt",
        "/session/../../secret.txt/1",
        "/report?session=../../secret.txt&checkpoint=x",
        "/report?session=tester/FUNDUS/1&checkpoint=../../../secret.txt",
        "/file:///etc/passwd",
    ],
)
def test_no_path_leads_to_a_file(server: Server, path: str) -> None:
    content = server.ask(path).content
    assert SECRET.encode() not in content
    assert b"root:" not in content


def test_a_long_address_is_refused(server: Server) -> None:
    assert server.ask("/?" + "x" * 20_000).status == 414


def test_responses_have_security_headers(server: Server) -> None:
    answer = server.ask("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not re.search(r"https?:|\*", " ".join(policy.values()))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_page_loads_nothing_from_other_hosts(server: Server) -> None:
    text = server.ask("/").content.decode()
    others = set(re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""", text))
    assert others == set()


def test_a_server_that_others_can_reach_needs_a_token(open_server: Server) -> None:
    assert re.fullmatch(r"\?token=[\w-]{20,}", open_server.query)


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=a&token=b"])
def test_without_the_token_nothing_is_shown(open_server: Server, query: str) -> None:
    answer = open_server.ask(f"/dataset/FUNDUS{query}")
    assert answer.status == 401
    assert b"FUNDUS" not in answer.content


def test_without_the_token_the_websocket_is_refused(open_server: Server) -> None:
    assert _handshake(open_server, open_server.address) == 403


def test_the_token_moves_from_the_address_to_a_cookie(open_server: Server) -> None:
    answer = open_server.ask(f"/dataset/FUNDUS{open_server.query}&tab=sessions")
    assert (answer.status, answer.headers["Location"]) == (303, "/dataset/FUNDUS?tab=sessions")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert open_server.ask("/dataset/FUNDUS", Cookie=cookie.partition(";")[0]).status == 200


def test_a_token_never_redirects_to_another_site(open_server: Server) -> None:
    answer = open_server.ask(f"//evil.example/{open_server.query}")
    assert answer.headers.get("Location", "/").startswith("/")
    assert not answer.headers.get("Location", "/").startswith("//")


def test_a_port_that_is_taken_is_named(place: Home, server: Server) -> None:
    command = [sys.executable, "-m", "nsml", "web", "--no-open", "--port", str(server.port)]
    ended = run_command(command, place.project, **place.environment)
    assert ended.status == 1
    assert f"127.0.0.1:{server.port}" in ended.err and "--port" in ended.err
    assert ended.err.count("\n") == 1


def test_an_address_of_another_machine_is_refused(place: Home) -> None:
    command = [sys.executable, "-m", "nsml", "web", "--no-open", "--port", "0", "--host", "192.0.2.1"]
    ended = run_command(command, place.project, **place.environment)
    assert (ended.status, ended.err.count("\n")) == (1, 1)


@pytest.mark.parametrize("token", ["short", "with a space and more", "newline-newline-\n"])
def test_a_weak_token_is_refused(place: Home, token: str) -> None:
    command = [sys.executable, "-m", "nsml", "web", "--no-open", "--port", "0", "--token", token]
    ended = run_command(command, place.project, **place.environment)
    assert ended.status == 2
    assert "--token" in ended.err and ended.err.count("\n") == 1


def test_without_the_extra_it_says_how_to_install_it(place: Home) -> None:
    code = (
        "import sys; sys.modules['nicegui'] = None; sys.argv = ['nsml', 'web']; from nsml.cli.main import main; main()"
    )
    ended = run_command([sys.executable, "-c", code], place.project, **place.environment)
    assert ended.status == 2
    assert ended.err == f"nsml: nicegui is needed for the page; {install('web')}\n"


def test_it_writes_no_files_and_prints_only_its_address(place: Home) -> None:
    before = {path for path in place.folder.rglob("*") if "web-" not in path.name}
    with Server(place) as started:
        for path in ("/", "/dataset/FUNDUS", "/machine", "/dataset/NONE", "/nowhere"):
            started.ask(path)
    after = {path for path in place.folder.rglob("*") if "web-" not in path.name}
    assert after == before
    assert started.output().strip() == f"nsml web is at {started.address}/ (Ctrl-C ends it)"
    assert started.process.returncode == 0


ODD = "\ud800\x1b]0;x\x07\x9b\u202e"


def test_the_best_value_of_validation_stands_beside_the_last(tmp_path: Path) -> None:
    from nsml.web.session_page import _reported
    from nsml.web.session_rows import SessionRows
    from nsml.web.sessions_table import _columns, _flat
    from nsml.web.texts import Texts

    opened, t = open_home(make_home(tmp_path).path), Texts("en")
    session = create_session(opened, "tester", "BEST", {"entry": "main.py", "arguments": []})
    session.write_state("Failed", exit_status=1)
    metrics = MetricsWriter(session.folder)
    for step, loss in enumerate((0.9, 0.25, 0.5), 1):
        metrics.append({"step": step, "values": {"train/loss": loss, "val/loss": loss}, "summary": True})
    metrics.close()
    (row,) = SessionRows(opened, "BEST").read()
    shown = _flat(row, [], t)
    columns = [(column["headerName"], shown.get(column["field"])) for column in _columns({"x": shown}, [], True, t)]
    assert columns[-4:] == [("step", 3), ("train/loss", 0.5), ("val/loss", 0.5), ("val/loss, best", 0.25)]
    assert _reported(session, t) == "step=3, train/loss=0.5, val/loss=0.5   Best: val/loss=0.25"


def test_no_value_that_a_program_left_keeps_a_page_from_being_shown(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    opened = open_home(home.path)
    for number in range(3):
        session = create_session(
            opened, "tester", "FUNDUS", {"entry": f"{ODD}.py", "arguments": [ODD, f"--{ODD}", "1e999", 10**40]}
        )
        session.code.mkdir()
        session.write_state("Running" if number else "Failed", reason=[ODD], process=identity(), program=os.getpid())
        session.write_memo(ODD[1:] * 1000)
        write_json(session.folder / "launch.json", {"limits": [ODD]})
        metrics = MetricsWriter(session.folder)
        for value in (10**40, ODD, [10**40], {"a": 2**64}, None, True, -(10**400)):
            metrics.append(
                {
                    "step": value,
                    "time": value,
                    "values": {"odd": value, "odd/score": value, ODD: value, f"{ODD}@vector:{ODD}": 1},
                    "summary": True,
                }
            )
        metrics.close()
        for name in (ODD, "best"):
            summary = {ODD: 10**40, "list": [ODD], "number": 2**64}
            store(session.checkpoints, name, lambda path: path.write_text("x") and None, elapsed=1e299, summary=summary)
        folder = open_submission(opened, "FUNDUS")
        record_score(folder, user=ODD, session=ODD, checkpoint=ODD, score=1e299)
    (home.path / "sessions" / "tester" / os.fsdecode(b"\xff\xfe") / "1").mkdir(parents=True)
    name = "tester/FUNDUS/1"
    pages = [
        "/",
        "/machine",
        "/dataset/FUNDUS",
        "/dataset/FUNDUS?tab=sessions",
        f"/diff?first={name}&second=tester/FUNDUS/2",
    ]
    pages += [f"/session/{name}?tab={tab}" for tab in ("log", "graph", "checkpoints", "report", "details", "terminal")]
    with Server(home) as started:
        answers = {path: started.ask(path) for path in pages}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(pages, 200)
    assert b"tester/FUNDUS/3" in answers["/dataset/FUNDUS?tab=sessions"].content
    assert b"ud800" in answers["/dataset/FUNDUS"].content
    assert started.output().count("\n") == 1


def test_the_token_is_not_in_the_command_line_of_the_browser(place: Home, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked.tmp; mv {tmp_path}/asked.tmp {tmp_path}/asked\n')
    browser.chmod(0o700)
    with Server(place, "--token", "a-token-of-this-test", opens=str(browser)) as started:
        wait_until(lambda: (tmp_path / "asked").exists())
        asked = (tmp_path / "asked").read_text().strip()
        assert "a-token-of-this-test" in started.output() and "a-token-of-this-test" not in asked
        answer = started.ask(f"/?{asked.partition('?')[2]}")
        assert answer.status == 303
        assert started.ask("/", Cookie=answer.headers["Set-Cookie"].partition(";")[0]).status == 200
        assert started.ask(f"/?{asked.partition('?')[2]}").status == 401


def test_an_address_of_this_machine_alone_is_its_own(place: Home) -> None:
    with Server(place, "--host", "127.0.0.2") as started:
        assert f"http://127.0.0.2:{started.port}/" in started.output()
        with closing(http.client.HTTPConnection("127.0.0.2", started.port, timeout=60)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 200


def test_the_token_is_invisible_to_other_programs(open_server: Server) -> None:
    command = " ".join(psutil.Process(open_server.process.pid).cmdline())
    assert open_server.query.partition("=")[2] not in command + str(dict(os.environ))


def test_a_token_can_be_set_by_an_environment_variable(place: Home) -> None:
    command = [sys.executable, "-m", "nsml", "web", "--no-open", "--port", "0"]
    ended = run_command(command, place.project, **place.environment, NSML_WEB_TOKEN="short")
    assert (ended.status, "--token" in ended.err) == (2, True)

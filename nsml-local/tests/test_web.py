"""The page in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from helpers import draw_competition, submit_to_competition, wait_until
from program_helpers import PROGRAMS
from web_browser import DESK, PATIENCE, QUIET, Tabs
from web_server import Home, Server, make_home

from nsml.store import home as store
from nsml.store.datasets import find_dataset
from nsml.store.names import parse_session_name
from nsml.store.sessions import find_session, list_sessions
from nsml.store.submissions import open_submission, record_score

pytest.importorskip("nicegui", reason="the page needs nsml-local[web]")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

expect = playwright.expect
HOSTILE = "<script>window.hacked=1</script><img/src=x/onerror=window.hacked=1>`${window.hacked=1}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with two sessions that have ended and a board."""
    home = make_home(tmp_path_factory.mktemp("web"))
    first = home.run_to_the_end("--mistakes 2", "first try")
    program = home.project / "main.py"
    program.write_text(program.read_text().replace("1 / epoch,", "2 / epoch,"))
    home.run_to_the_end("--mistakes 1", "steeper")
    home.nsml("submit", first, "best")
    home.nsml("submit", first, "best", NSML_USER="rival")
    return home


@pytest.fixture(scope="module")
def server(place: Home) -> Iterator[Server]:
    with Server(place) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def usual(browser: Any) -> Any:
    """An English desktop browser, with a cache shared by the tests."""
    return browser.new_context(**DESK)


@pytest.fixture
def open_page(browser: Any, usual: Any, server: Server) -> Iterator[Tabs]:
    """Opens pages of the server; fails if the browser reported errors or contacted other hosts."""
    tabs = Tabs(browser, usual, server)
    yield tabs
    tabs.close()
    assert tabs.complaints == []


expect.set_options(timeout=PATIENCE)


def test_a_new_submission_changes_the_board_without_a_reload(place: Home, open_page: Tabs) -> None:
    board = open_page("/dataset/FUNDUS")
    first = board.locator("tbody tr").first
    expect(first).to_contain_text("tester")
    board.get_by_text("Mine", exact=True).click()
    expect(board.locator("tbody tr")).to_have_count(1)
    session = open_page("/session/tester/FUNDUS/2")
    session.get_by_role("button", name="Submit").click()
    dialog = session.get_by_role("dialog")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("status")).to_contain_text(re.compile(r"Score: \d+"))
    score = dialog.get_by_role("status").inner_text().split()[1]
    expect(board.locator("tbody tr")).to_have_count(2)
    expect(board.locator("tbody tr").first).to_contain_text(score)
    ranks = json.loads(place.nsml("dataset", "board", "FUNDUS", "-j").out)
    assert ranks[0]["session"] == "tester/FUNDUS/2"
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_the_board_marks_predictions_of_one_class_and_says_what_guessing_reaches(place: Home, open_page: Tabs) -> None:
    home = store.Home(place.path)
    result = {"session": "tester/FUNDUS/1", "checkpoint": "best", "score": 25.0, "constant": 25.0, "one_class": "0"}
    scored_by = find_dataset(home, "FUNDUS").scored_by()
    record_score(open_submission(home, "FUNDUS"), user="guesser", scored_by=scored_by, **result)  # type: ignore[arg-type]
    board = open_page("/dataset/FUNDUS")
    row = board.locator("tbody tr").filter(has_text="guesser")
    expect(row).to_contain_text("25 *")
    legend = "The same answer for every photograph reaches at best 25. * All predictions are of one class."
    expect(board.get_by_text(legend)).to_be_visible()


def test_the_board_has_the_intervals_and_ranks_of_the_command(place: Home, open_page: Tabs, tmp_path: Path) -> None:
    place.nsml("dataset", "push", "D", str(draw_competition(tmp_path / "d")), "--metric", "accuracy")
    submit_to_competition(store.Home(place.path))
    of_command = place.nsml("dataset", "board", "D").out
    board = open_page("/dataset/D")
    expect(board.locator("thead")).to_contain_text("Interval")
    rows = board.locator("tbody tr")
    for number, ranks in enumerate(("1 to 2", "1 to 2", "3")):
        interval, shown = rows.nth(number).locator("td").nth(3), rows.nth(number).locator("td").nth(4)
        expect(shown).to_have_text(ranks)
        assert interval.inner_text() in of_command and " to " in interval.inner_text()
    expect(board.get_by_text("95 % intervals from 2,000 resamples of 40 patients")).to_be_visible()
    board.get_by_text("Mine", exact=True).click()
    expect(board.locator("thead")).not_to_contain_text("Interval")


def test_a_short_log_has_no_empty_space_and_a_wide_table_shows_that_it_goes_on(place: Home, open_page: Tabs) -> None:
    name = place.run_to_the_end("--epoch 2")
    log = open_page(f"/session/{name}").get_by_role("log", name="Log")
    expect(log).to_contain_text("epoch 2")
    assert log.bounding_box()["height"] - log.locator("pre").first.bounding_box()["height"] < 40
    page = open_page("/dataset/FUNDUS", viewport={"width": 420, "height": 800})
    table = page.locator(".q-table__middle")
    expect(table.locator("tbody tr").first).to_be_visible()
    assert table.evaluate("box => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX == 'auto'")
    assert "linear-gradient" in table.evaluate("box => getComputedStyle(box).backgroundImage")
    place.nsml("rm", "-f", name)


def test_in_korean_a_failure_and_what_is_not_found_are_said_in_korean(place: Home, open_page: Tabs) -> None:
    name = place.run_to_the_end("--mistakes none")
    page = open_page("/dataset/FUNDUS?tab=sessions", locale="ko-KR")
    expect(page.locator(f".ag-row[row-id='{name}'] [col-id=status]")).to_have_text("실패 (2)")
    expect(open_page(f"/session/{name}", locale="ko-KR").get_by_text("종료 코드 2")).to_be_visible()
    find_session(store.open_home(place.path), parse_session_name(name, "")).write_state("Failed", exit_status=-9)
    expect(page.locator(f".ag-row[row-id='{name}'] [col-id=status]")).to_have_text("실패 (시그널 9)")
    expect(open_page(f"/session/{name}", locale="ko-KR").get_by_text("시그널 9 (SIGKILL)")).to_be_visible()
    for path in ("/dataset/NOPE", "/session/tester/FUNDUS/99"):
        missing = open_page(path, locale="ko-KR", status=404)
        expect(missing.get_by_role("alert")).to_have_text(f"{path.split('/', 2)[2]}: 찾을 수 없습니다")
    place.nsml("rm", "-f", name)


def test_the_log_and_the_graph_of_a_running_session_are_live(place: Home, open_page: Tabs) -> None:
    name = place.run("--epoch 500 --seconds 0.1")
    page = open_page(f"/session/{name}")
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("epoch 1 green")
    seen = _epochs(log)
    wait_until(lambda: _epochs(log) > seen)
    expect(log.locator("span.ansi32").first).to_have_text("green")
    page.get_by_role("tab", name="Graph").click()
    expect(page.get_by_role("img", name=re.compile('"loss"'))).to_be_visible()
    points = _points(page)
    wait_until(lambda: _points(page) > points)
    place.nsml("stop", "-f", name)
    expect(page.locator(".q-badge", has_text="Stopped")).to_be_visible()


def _epochs(log: Any) -> int:
    return int(re.findall(r"epoch (\d+)", log.inner_text())[-1])


def _points(page: Any) -> int:
    """Number of points of the first line of the first chart in the browser."""
    return int(page.evaluate(_CHART + "return chart.getOption().series[0].data.length; })()"))


_CHART = "(() => { const chart = getElement(document.querySelector('.chart').id.slice(1)).chart; "


def test_new_lines_do_not_move_a_log_that_is_scrolled_up(place: Home, open_page: Tabs) -> None:
    name = place.run("--epoch 500 --seconds 0.05 --text " + "long" * 60)
    page = open_page(f"/session/{name}", viewport={"width": 900, "height": 500})
    log = page.get_by_role("log", name="Log")
    wait_until(lambda: bool(log.evaluate("box => box.scrollHeight > box.clientHeight + 400")))
    log.evaluate("box => { box.scrollTop = -300; }")
    first = page.evaluate("() => document.querySelector('.log').scrollHeight")
    wait_until(lambda: int(page.evaluate("() => document.querySelector('.log').scrollHeight")) > int(first))
    assert log.evaluate("box => box.scrollTop") <= -300
    page.get_by_role("button", name="To the end").click()
    wait_until(lambda: log.evaluate("box => box.scrollTop") == 0)
    place.nsml("stop", "-f", name)


def test_a_search_in_the_log_shows_the_line(place: Home, open_page: Tabs) -> None:
    name = place.run_to_the_end("--epoch 700")
    page = open_page(f"/session/{name}")
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("epoch 700 ")
    assert "epoch 77 " not in log.inner_text()
    page.get_by_label("Find in the log").fill("EPOCH 77 ")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_text("Matching lines: 1")).to_be_visible()
    page.locator("button", has_text="epoch 77").click()
    expect(log).to_contain_text("epoch 77 ")
    page.get_by_role("button", name="Earlier lines").click()
    expect(log).to_contain_text("epoch 1 ")


def test_the_memo_is_edited_in_the_table(place: Home, open_page: Tabs) -> None:
    page = open_page("/dataset/FUNDUS?tab=sessions")
    cell = page.locator(".ag-row[row-id='tester/FUNDUS/2'] [col-id=memo]")
    expect(cell).to_have_text("steeper")
    cell.dblclick()
    editor = cell.locator("input")
    editor.fill("steeper, seed 0")
    editor.press("Enter")
    wait_until(lambda: "steeper, seed 0" in place.nsml("ps", "-a").out)


def test_selection_and_input_stay_while_sessions_come_and_go(place: Home, open_page: Tabs) -> None:
    page = open_page("/dataset/FUNDUS?tab=sessions")
    ticked = page.locator(".ag-row[row-id='tester/FUNDUS/1'] input[type=checkbox]").first
    ticked.check()
    cell = page.locator(".ag-row[row-id='tester/FUNDUS/2'] [col-id=memo]")
    cell.dblclick()
    cell.locator("input").fill("half a sent")
    name = place.run_to_the_end("--epoch 30 --seconds 0.1")
    expect(page.locator(f".ag-row[row-id='{name}'] [col-id=status]")).to_have_text("Exited")
    expect(ticked).to_be_checked()
    expect(cell.locator("input")).to_have_value("half a sent")
    page.keyboard.press("Escape")
    place.nsml("rm", "-f", name)


def test_the_memo_is_edited_on_the_sessions_page(place: Home, open_page: Tabs) -> None:
    page = open_page("/session/tester/FUNDUS/1")
    field = page.get_by_label("Memo")
    expect(field).to_have_value("first try")
    field.fill("first try, 4 epochs")
    field.press("Enter")
    wait_until(lambda: "first try, 4 epochs" in place.nsml("ps", "-a").out)


def test_two_sessions_are_compared(open_page: Tabs) -> None:
    page = open_page("/dataset/FUNDUS?tab=sessions")
    for number in ("1", "2"):
        link = page.get_by_role("link", name=number, exact=True)
        index = link.locator("xpath=ancestor::*[@row-index]").first.get_attribute("row-index")
        page.locator(f".ag-row[row-index='{index}'] input[type=checkbox]").first.check()
    page.get_by_role("button", name="Differences").click()
    expect(page).to_have_url(re.compile("/diff"))
    row = page.locator("tr", has_text="--mistakes")
    expect(row).to_contain_text("≠")
    code = page.get_by_role("region", name="main.py")
    expect(code.locator(".diff_chg, .diff_add, .diff_sub").first).to_be_visible()
    expect(code).to_contain_text("2 / epoch,")
    expect(page.get_by_text("Reported values alone do not show whether a difference is chance")).to_be_visible()


def test_a_session_is_stopped_and_resumed_and_forked(place: Home, open_page: Tabs) -> None:
    name = place.run("--epoch 3000 --seconds 0.05")
    page = open_page(f"/session/{name}")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.locator(".q-badge", has_text="Stopped")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"session {name} has no checkpoint")).to_be_visible()
    ended = open_page("/session/tester/FUNDUS/1")
    ended.get_by_role("button", name="Fork").click()
    ended.get_by_role("dialog").get_by_label("Arguments").fill("--epoch 6")
    ended.get_by_role("dialog").get_by_role("button", name="Fork").click()
    expect(ended).not_to_have_url(re.compile("/FUNDUS/1$"))
    expect(ended.get_by_role("log", name="Log")).to_contain_text("epoch 6")


def test_a_session_is_removed_after_confirmation(place: Home, open_page: Tabs) -> None:
    name = place.run_to_the_end(memo="not needed")
    page = open_page(f"/session/{name}")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert name in place.nsml("ps", "-a").out
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page).to_have_url(re.compile("/dataset/FUNDUS"))
    assert name not in place.nsml("ps", "-a").out


def test_an_expression_is_evaluated_in_a_running_session(place: Home, open_page: Tabs) -> None:
    name = place.run("--epoch 3000 --seconds 0.05")
    page = open_page(f"/session/{name}?tab=terminal")
    field = page.get_by_label(re.compile("An expression"))
    field.fill("args.epoch * 2")
    field.press("Enter")
    expect(page.get_by_text("6000", exact=True)).to_be_visible()
    field.fill("1 / 0")
    field.press("Enter")
    expect(page.get_by_text(re.compile("ZeroDivisionError"))).to_be_visible()
    place.nsml("stop", "-f", name)


def test_a_report_is_shown_and_its_scripts_do_not_run(place: Home, open_page: Tabs) -> None:
    place.nsml("report", "tester/FUNDUS/1", "best")
    page = open_page("/session/tester/FUNDUS/1?tab=report")
    inside = page.frame_locator("iframe.report")
    expect(inside.get_by_role("heading", name="What was learned")).to_be_visible()
    expect(inside.get_by_text("script ran")).to_have_count(0)
    open_page.complaints.remove(next(c for c in open_page.complaints if "Blocked script execution" in c))


def test_graphs_of_several_sessions_share_their_charts(open_page: Tabs) -> None:
    page = open_page("/graph?session=tester/FUNDUS/1&session=tester/FUNDUS/2")
    expect(page.get_by_role("img", name=re.compile('"loss"'))).to_be_visible()
    names = page.evaluate(_CHART + "return chart.getOption().series.map((line) => line.name); })()")
    assert {"tester/FUNDUS/1", "tester/FUNDUS/2"} <= set(names)
    page.get_by_label("X axis").click()
    page.get_by_role("option", name="Relative time").click()
    wait_until(lambda: "Relative" in page.evaluate(_CHART + "return chart.getOption().xAxis[0].name; })()"))


def test_a_chart_is_saved_as_picture_and_as_table(open_page: Tabs, tmp_path: Path) -> None:
    page = open_page("/session/tester/FUNDUS/1?tab=graph")
    expect(page.get_by_role("img", name=re.compile('"loss"'))).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").first.click()
    assert saved.value.suggested_filename == "train_loss.png"
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").first.click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0] == "session,name,step,time,value"
    assert [line.split(",")[2] for line in lines if ",train/loss," in line] == ["1.0", "2.0", "3.0", "4.0"]


def test_the_page_speaks_the_browsers_language_and_can_be_switched(open_page: Tabs) -> None:
    page = open_page("/dataset/FUNDUS", locale="ko-KR")
    expect(page.get_by_role("tab", name="리더보드")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "ko-KR"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("tab", name="Leaderboard")).to_be_visible()
    page.goto(page.url)
    expect(page.get_by_role("tab", name="Leaderboard")).to_be_visible()


def test_the_theme_can_be_switched_and_stays(open_page: Tabs) -> None:
    page = open_page("/", color_scheme="light")
    expect(page.locator("body.body--light")).to_be_visible()
    page.get_by_role("button", name="Light or dark mode").click()
    expect(page.locator("body.body--dark")).to_be_visible()
    page.reload()
    expect(page.locator("body.body--dark")).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/", "/dataset/FUNDUS", "/dataset/FUNDUS?tab=sessions", "/session/tester/FUNDUS/1?tab=graph", "/machine"]
)
def test_it_fits_a_phone(open_page: Tabs, path: str) -> None:
    page = open_page(path, viewport={"width": 390, "height": 800})
    expect(page.locator(".q-page [role=heading]").first).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def test_hostile_text_is_shown_and_not_executed(place: Home, open_page: Tabs) -> None:
    name = place.run_to_the_end(f"--text '{HOSTILE}'", memo=HOSTILE)
    for tab in ("log", "graph", "details"):
        page = open_page(f"/session/{name}?tab={tab}")
        if tab == "log":
            expect(page.get_by_role("log", name="Log")).to_contain_text(HOSTILE)
        expect(page.get_by_label("Memo")).to_have_value(HOSTILE)
        page.wait_for_timeout(300)
        assert page.evaluate("window.hacked") is None
    for path in ("/dataset/FUNDUS?tab=sessions", f"/diff?first={name}&second=tester/FUNDUS/1", "/dataset/<script>x"):
        page = open_page(path, status=404 if path.endswith("<script>x") else 200)
        expect(page.locator(".q-page")).to_contain_text("script>")
        page.wait_for_timeout(300)
        assert page.evaluate("window.hacked") is None
    place.nsml("rm", "-f", name)


def test_a_damaged_session_is_one_row_with_the_reason(place: Home, open_page: Tabs) -> None:
    name = place.run_to_the_end(memo="broken")
    record = place.path / "sessions" / name / "session.json"
    original = record.read_bytes()
    record.write_text("{")
    page = open_page("/dataset/FUNDUS?tab=sessions")
    row = page.locator(".ag-row", has_text="Damaged")
    expect(row).to_contain_text("session.json")
    expect(page.locator(".ag-row", has_text="first try")).to_be_visible()
    session = open_page(f"/session/{name}")
    expect(session.locator(".q-badge", has_text="Damaged")).to_be_visible()
    record.write_bytes(original)
    expect(page.locator(".ag-row", has_text="Damaged")).to_have_count(0)
    place.nsml("rm", "-f", name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_pass_an_accessibility_check(server: Server, open_page: Tabs, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    paths = ("/dataset/FUNDUS", "/dataset/FUNDUS?tab=sessions", "/session/tester/FUNDUS/1", "/machine")
    more = ("/session/tester/FUNDUS/1?tab=graph", "/diff?first=tester/FUNDUS/1&second=tester/FUNDUS/2")
    page = open_page("/", color_scheme=scheme)
    for path in ("/", *paths, *more):
        page.goto(f"{server.address}{path}")
        expect(page.locator(".q-page [role=heading]").first).to_be_visible()
        page.wait_for_timeout(700)
        violations = [(v["impact"], v["id"], v["nodes"][0]["html"]) for v in axe.run(page).response["violations"]]
        assert [v for v in violations if v[0] in ("serious", "critical")] == [], path


def test_the_first_tab_stop_skips_the_menu(open_page: Tabs) -> None:
    page = open_page("/dataset/FUNDUS")
    expect(page.get_by_role("tab", name="Sessions")).to_be_visible()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.q-page') !== null")


def test_a_read_only_page_has_no_actions(place: Home, open_page: Tabs) -> None:
    # The pages are closed before their server.
    with Server(place, "--read-only") as started, closing(open_page):
        sessions = open_page("/dataset/FUNDUS?tab=sessions", server=started)
        expect(sessions.get_by_role("button", name="Graph")).to_be_visible()
        sessions.locator("[col-id=memo]").nth(1).dblclick()
        expect(sessions.locator("input.ag-input-field-input[type=text]")).to_have_count(0)
        session = open_page("/session/tester/FUNDUS/1?tab=checkpoints", server=started)
        expect(session.get_by_role("tab", name="Graph")).to_be_visible()
        for page in (sessions, session):
            for name in ("Stop", "Resume", "Fork", "Remove", "Submit", "Write a report", "Evaluate"):
                assert page.get_by_role("button", name=name, exact=True).count() == 0
        assert session.get_by_role("tab", name="Terminal").count() == 0
        assert session.get_by_label("Memo").count() == 0


def test_an_empty_home_shows_the_first_commands(tmp_path: Path, open_page: Tabs) -> None:
    home = Home(tmp_path)
    home.project.mkdir()
    with Server(home) as started, closing(open_page):
        page = open_page("/", server=started)
        expect(page.get_by_text("nsml dataset demo")).to_be_visible()


def test_a_sweep_has_the_table_of_compare_best_first_behind_a_link(place: Home, open_page: Tabs) -> None:
    shutil.copy(PROGRAMS / "swept.py", place.project / "swept.py")
    words = ("--env", "current", "--grid", "right=0.5,0.75", "--grid", "width=1")
    sweep = place.nsml("run", "-d", "FUNDUS", "-e", "swept.py", *words).out.split("Sweep ")[1].split()[0]
    members = [session for session in list_sessions(store.Home(place.path)) if session.sweep()[0]]
    wait_until(lambda: all(session.status() == "Exited" for session in members))
    page = open_page("/dataset/FUNDUS?tab=sessions")
    page.get_by_role("link", name=sweep).click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("75.0 (")
    expect(rows.first.get_by_role("link")).to_have_text(str(members[1].name))
    expect(page.locator("thead")).to_contain_text("accuracy, %")
    expect(page.get_by_text("The best of 2 flatters itself")).to_be_visible()
    place.nsml("rm", "-f", sweep.removeprefix("tester/"))
    expect(open_page(f"/sweep/{sweep}", status=404).get_by_role("alert")).to_contain_text("there is no sweep")

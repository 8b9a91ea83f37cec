"""The rules of a competition: who may submit when, and what the board shows."""

import json
import re
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from helpers import Nsml, make_dataset, start_and_wait
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from nsml.errors import NsmlError
from nsml.scoring.metrics import METRICS, score_files
from nsml.scoring.rules import Rules, as_toml, read_rules
from nsml.store.datasets import find_dataset
from nsml.store.files import write_json
from nsml.store.home import open_home
from nsml.store.processes import identity
from nsml.store.submissions import close_submission, counted_submissions, open_submission, record_failure, record_score
from nsml.wording import period

NAMES = {"session": "tester/D/1", "checkpoint": "best"}


def listed(nsml: Nsml, *options: str) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = json.loads(nsml("dataset", "board", "-j", *options, "D").out)
    return shown


def push(nsml: Nsml, tmp_path: Path, *options: str) -> Path:
    source = make_dataset(tmp_path / "d")
    pushed = nsml("dataset", "push", "D", str(source), *options)
    assert pushed.status == 0, pushed.err
    return source


def test_of_two_submits_at_once_one_passes(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    push(nsml, tmp_path, "--every", "8h")
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(
        program.replace("        return [int", "        import time; time.sleep(1)\n        return [int")
    )
    name = start_and_wait(nsml, dataset="D")
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda checkpoint: nsml("submit", name, checkpoint), ["0", "1", "best"]))
    assert sorted(e.status for e in ended) == [0, 2, 2]
    refusals = [e.err for e in ended if e.status]
    assert all(
        "dataset D: it allows a submission every 8 hours; wait 8 hours; 'nsml submit -t'" in line for line in refusals
    ), refusals
    assert sorted(["refused" in record for record in listed(nsml, "--all")]) == [False, True, True]


def test_a_submit_that_fails_or_is_killed_leaves_its_turn_to_the_next() -> None:
    home = open_home()
    folders = [open_submission(home, "D", "tester", at) for at in (1.0, 2.0)]
    # The first of two is the one with the lower number, whichever asks first.
    assert [counted_submissions(home, "D", "tester", folder) for folder in folders] == [[], [1.0]]
    assert counted_submissions(home, "D", "tester") == [1.0, 2.0]
    assert counted_submissions(home, "D", "another", folders[1]) == []
    record_failure(folders[0], user="tester", **NAMES, error="no lens")
    close_submission(folders[0])
    assert counted_submissions(home, "D", "tester", folders[1]) == []
    write_json(folders[1] / "process.json", {**identity(), "boot": "0", "user": "tester", "at": 2.0})
    assert counted_submissions(home, "D", "tester") == []


def test_a_submit_that_has_just_scored_and_not_yet_ended_counts_once() -> None:
    home = open_home()
    folder = open_submission(home, "D", "tester", 5.0)
    record_score(folder, user="tester", **NAMES, score=1.0, at=5.0)
    assert counted_submissions(home, "D", "tester") == [5.0]
    close_submission(folder)
    assert counted_submissions(home, "D", "tester") == [5.0]


def test_a_refused_submit_is_listed_with_its_reason_and_asking_again_is_counted(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path, "--every", "90m")
    name = start_and_wait(nsml, dataset="D")
    assert nsml("submit", name, "best").status == 0
    for _ in range(3):
        refused = nsml("submit", name, "0")
        assert refused.status == 2 and "allows a submission every 1 hour 30 minutes; wait" in refused.err
    scored, failed = listed(nsml, "--all")
    assert scored["score"] == 100.010001 and failed["refused"] == 3 and failed["checkpoint"] == "0"
    row = nsml("dataset", "board", "--all", "D").out.splitlines()[-1]
    assert "tester" in row and "refused" in row and "every 1 hour 30 minutes" in row and row.endswith("(3 times)")
    assert "refused" in nsml("dataset", "board", "--mine", "D").out
    assert [entry.name for entry in (open_home().submissions / "D").iterdir()].count("4") == 1  # the last of the four


def test_the_submissions_of_all_users_are_listed(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    home = open_home()
    for user in ("a", "b"):
        record_score(open_submission(home, "D"), user=user, **NAMES, score=1.0)
    record_failure(open_submission(home, "D"), user="b", **NAMES, error="no lens")
    assert [(r["number"], r["user"], r.get("error")) for r in listed(nsml, "--all")] == [
        ("1", "a", None), ("2", "b", None), ("3", "b", "no lens"),
    ]  # fmt: skip
    assert listed(nsml, "--mine") == []
    both = nsml("dataset", "board", "--all", "--mine", "D")
    assert both.status == 2 and "exclude each other" in both.err


def test_a_submit_on_wrong_labels_is_in_the_list(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").write_text("test_data,000.png,0\n")
    nsml("dataset", "push", "D", str(source))
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    (failed,) = listed(nsml, "--mine")
    assert "labels of dataset D are wrong" in str(failed["error"])


def test_the_number_of_scores_by_other_labels_is_said(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    home = open_home()
    for labels, user in (("old", "a"), ("old", "b"), ("older", "b")):
        by = {"labels": labels, "scorer": "fundus"}
        record_score(open_submission(home, "D"), user=user, **NAMES, score=1.0, scored_by=by)
    shown = nsml("dataset", "board", "D").out
    assert "3 of 3 submissions are not ranked, as scored with other labels or another scorer" in shown


@pytest.mark.parametrize("changed", ["test/test_label/answers.txt", "evaluation/weights.txt"])
def test_a_change_of_any_file_that_the_scorer_reads_is_another_scorer(nsml: Nsml, tmp_path: Path, changed: str) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").unlink()
    for name in ("test/test_label/answers.txt", "evaluation/weights.txt"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("1\n")
    (source / "evaluation" / "evaluation.py").write_text("print(1)\n")
    nsml("dataset", "push", "D", str(source))
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    for text, outdated in (("1\n", False), ("2\n", True)):
        (source / changed).write_text(text)
        nsml("dataset", "rm", "-f", "D")
        nsml("dataset", "push", "D", str(source))
        assert [r["outdated"] for r in listed(nsml)] == [outdated]


@given(st.integers(min_value=1, max_value=10**7))
def test_a_period_is_said_to_the_second(seconds: int) -> None:
    units = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
    words = period(seconds).split()
    parts = [(int(count), units[unit.removesuffix("s")]) for count, unit in zip(words[::2], words[1::2], strict=True)]
    assert sum(count * unit for count, unit in parts) == seconds
    assert all(unit.endswith("s") == (count != "1") for count, unit in zip(words[::2], words[1::2], strict=True))


SEOUL = ZoneInfo("Asia/Seoul")
RULES = """\
metric = "kappa"
every = "1h"
per_day = 3
total = 30
time_zone = "Asia/Seoul"
opens = 2026-11-27T09:00:00
deadline = 2026-11-29T18:00:00
baselines = ["organiser"]
"""


def seoul(day: int, hour: int, minute: int = 0) -> float:
    return datetime(2026, 11, day, hour, minute, tzinfo=SEOUL).timestamp()


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    (tmp_path / "rules.toml").write_text(RULES)
    record = read_rules(tmp_path / "rules.toml", {})
    return Rules(**{**record, "baselines": tuple(record["baselines"])})


@pytest.mark.parametrize(
    ("now", "times", "why"),
    [
        (seoul(27, 8, 59), [], "submissions open at 2026-11-27 09:00 Asia/Seoul; wait 1 minute"),
        (seoul(27, 9), [], ""),
        (seoul(29, 17, 59), [], ""),
        (seoul(29, 18), [], "the deadline was 2026-11-29 18:00 Asia/Seoul"),
        (seoul(27, 12), [seoul(27, 11, 1)], "it allows a submission every 1 hour; wait 1 minute"),
        (seoul(27, 12), [seoul(27, 11)], ""),
        (seoul(27, 20), [seoul(27, hour) for hour in (9, 12, 15)], "0 of 3 left today, next at 00:00 Asia/Seoul; wait 4 hours"),
        (seoul(28, 0), [seoul(27, hour) for hour in (9, 12, 15)], ""),
        # The clock was set back since: those of tomorrow are of no day that has begun.
        (seoul(27, 20), [seoul(28, hour) for hour in (9, 12, 15)], ""),
        (seoul(27, 20), [seoul(28, 9), seoul(27, 19, 1)], "it allows a submission every 1 hour; wait 1 minute"),
        (seoul(27, 20), [seoul(27, 19, 1), seoul(28, 9)], "it allows a submission every 1 hour; wait 1 minute"),
        (seoul(28, 12), [seoul(27, 9)] * 30, "0 of 30 submissions are left in all"),
    ],
)  # fmt: skip
def test_a_submit_is_refused_with_the_time_at_which_it_is_not(
    rules: Rules, now: float, times: list[float], why: str
) -> None:
    assert rules.refusal("team", times, now) == (why or "")
    assert rules.refusal("organiser", times, now) == ""


def test_what_is_left_is_counted_from_midnight_of_the_organisers_time_zone(rules: Rules) -> None:
    evening = seoul(27, 23, 30)  # of the 27th in London too
    assert rules.left("team", [evening], evening) == (
        "2 of 3 left today, next at 00:00 Asia/Seoul; 29 of 30 left in all"
    )
    assert rules.left("team", [evening], seoul(28, 0)).startswith("3 of 3 left today")
    assert rules.left("organiser", [evening], evening) == ""


def test_a_day_is_as_long_as_it_is_where_the_clocks_change() -> None:
    rules = Rules(per_day=1, time_zone="Europe/Berlin")
    start = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert (
        rules.refusal("team", [start], start + 1) == "0 of 1 left today, next at 00:00 Europe/Berlin; wait 1 day 1 hour"
    )
    assert rules.refusal("team", [start], start + 25 * 3600) == ""


WRONG_RULES = {
    "per_day = 0": "per_day = 0 is not a whole number above 0",
    "per_day = true": "per_day = True is not a whole number above 0",
    "total = 1.5": "total = 1.5 is not a whole number",
    'metric = "kapa"': "metric = 'kapa' is not one of fundus, ",
    "metric = 3": "metric = 3 is not one of",
    'every = "soon"': "every 'soon' is not a duration; give 90s",
    "every = nan": "every = nan is not a duration",
    'time_zone = "Asia/Seol"': "time_zone = 'Asia/Seol' is not a time zone that this machine knows",
    'time_zone = "/etc/passwd"': "is not a time zone",
    "deadline = 2026-11-29": "deadline = 2026-11-29 is not a date and a time",
    "deadline = 18:00:00": "is not a date and a time",
    'deadline = "tomorrow"': "deadline = tomorrow is not a date and a time",
    "opens = 2026-11-29T18:00:00Z\ndeadline = 2026-11-29T18:00:00Z": "the deadline is not after opens",
    "public_share = 30": "public_share = 30 is not a share between 0 and 1",
    "patient_pattern = '_(\\d+'": "is not a regular expression with one group",
    "patient_pattern = '_\\d+_'": "is not a regular expression with one group",
    'baselines = "organiser"': "is not a list of users",
    'baselines = ["a/b"]': "is not a list of users",
    "perday = 3": "'perday' is no rule; the rules are metric, ",
    "per_day 3": "is not TOML",
    f"per_day = {'9' * 5000}": "is not TOML: a number is too long",
    f"baselines = {'[' * 5000}": "is not TOML: a number is too long, or a list too deep",
    f"every = '{'9' * 400}'": "is not a duration",
    "every = 1e299": "every = 1e+299 is not a duration",
    f"patient_pattern = '{'(' * 5000}{')' * 5000}'": "is not a regular expression with one group",
    "patient_pattern = '(a){99999999999}'": "is not a regular expression with one group",
    "per_day = 3\nper_day = 4": "is not TOML",
}


@pytest.mark.parametrize("text", WRONG_RULES, ids=lambda text: text[:40])
def test_a_rule_that_cannot_be_is_one_line_that_names_the_file(nsml: Nsml, tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    refused = nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d")), "--rules", str(tmp_path / "rules.toml"))
    (line,) = refused.err.splitlines()
    assert refused.status == 2 and WRONG_RULES[text] in line and "rules.toml" in line
    assert json.loads(nsml("dataset", "ls", "-j").out) == []


def test_a_file_of_rules_that_is_not_there_is_named(nsml: Nsml, tmp_path: Path) -> None:
    refused = nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d")), "--rules", "none.toml")
    assert refused.status == 2 and "none.toml cannot be read: No such file" in refused.err


def test_rules_are_shown_as_the_file_that_sets_them_and_changed_one_by_one(nsml: Nsml, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    push(nsml, tmp_path, "--rules", str(tmp_path / "rules.toml"))
    record_score(open_submission(open_home(), "D"), user="a", **NAMES, score=1.0)
    shown = nsml("dataset", "rules", "D").out
    assert "opens = 2026-11-27T09:00:00\n" in shown and 'every = "3600s"\n' in shown
    (tmp_path / "shown.toml").write_text(shown)
    again = nsml("dataset", "rules", "D", "--set", str(tmp_path / "shown.toml"))
    assert (again.out, again.err) == (shown, "")
    changed = nsml("dataset", "rules", "D", "per_day=5", "deadline=2026-11-29T20:00:00", "total=", "metric=rmse")
    assert changed.err.splitlines() == [
        "metric is changed", "lower_is_better is changed", "per_day is changed", "total is removed", "deadline is changed",
    ]  # fmt: skip
    rules = json.loads(nsml("dataset", "rules", "-j", "D").out)
    assert (rules["per_day"], rules["total"], rules["deadline"]) == (5, None, seoul(29, 20))
    assert (rules["metric"], rules["lower_is_better"], rules["every"]) == ("rmse", True, 3600)
    assert [r["user"] for r in listed(nsml)] == ["a"]
    assert nsml("dataset", "rules", "D", "per_day").status == 2
    assert "5 a day (Asia/Seoul)" in nsml("dataset", "show", "D").out


def test_a_rule_that_is_removed_is_again_as_where_nobody_gave_it(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path, "--metric", "rmse")
    given = ("lower_is_better=false", "per_day=2", "time_zone=Asia/Tokyo", "public_share=0.5", "public_seed=-1")
    assert nsml("dataset", "rules", "D", *given, TZ="Asia/Seoul").status == 0
    removed = nsml("dataset", "rules", "-j", "D", "lower_is_better=", "time_zone=", "public_seed=", TZ="Asia/Seoul")
    rules = json.loads(removed.out)
    assert (rules["lower_is_better"], rules["time_zone"]) == (True, "Asia/Seoul")
    assert 0 <= rules["public_seed"] < 1_000_000


def test_a_direction_that_an_older_version_did_not_store_is_that_of_the_metric(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path, "--metric", "rmse")
    with find_dataset(open_home(), "D").changing() as record:
        record["lower_is_better"] = None
    for user, score in (("ann", 2.0), ("ben", 1.0)):
        record_score(open_submission(open_home(), "D"), user=user, session=f"{user}/D/1", checkpoint="0", score=score)
    assert [row["user"] for row in listed(nsml)] == ["ben", "ann"]
    assert "lower_is_better = true\n" in nsml("dataset", "rules", "D").out


def test_another_metric_says_how_many_scores_are_of_the_one_before(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    assert "1 submission is scored in another way" in nsml("dataset", "rules", "D", "metric=kappa").err
    assert nsml("dataset", "rescore", "D").out == "1 submission rescored\n"
    assert [(r["rank"], r["score"]) for r in listed(nsml)] == [(1, 1.0)]


def test_submissions_a_day_and_in_all_end_with_what_is_left(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    nsml("dataset", "rules", "D", "per_day=2", "total=3", "time_zone=Asia/Seoul")
    name = start_and_wait(nsml, dataset="D")
    scored = nsml("submit", name, "best")
    assert scored.err.splitlines()[-1] == "1 of 2 left today, next at 00:00 Asia/Seoul; 2 of 3 left in all"
    assert "tester: 1 of 2 left today" in nsml("dataset", "show", "D").out
    assert nsml("submit", name, "best").status == 0
    refused = nsml("submit", name, "best")
    assert refused.status == 2 and "dataset D: 0 of 2 left today, next at 00:00 Asia/Seoul; wait" in refused.err
    assert nsml("submit", "-t", name, "best").status == 0


def test_nothing_is_scored_before_the_opening_and_from_the_deadline_on(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    name = start_and_wait(nsml, dataset="D")
    nsml("dataset", "rules", "D", "opens=2099-01-01T00:00:00Z", "time_zone=UTC")
    assert "submissions open at 2099-01-01 00:00 UTC; wait" in nsml("submit", name, "best").err
    nsml("dataset", "rules", "D", "opens=", "deadline=2020-01-01T00:00:00Z")
    assert "the deadline was 2020-01-01 00:00 UTC" in nsml("submit", name, "best").err
    assert listed(nsml) == []
    nsml("dataset", "rules", "D", 'baselines=["tester"]')
    assert nsml("submit", name, "best").status == 0


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2).filter(lambda p: len({a for a, _ in p}) > 1)
)
def test_kappa_and_balanced_accuracy_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = ([pair[side] for pair in pairs] for side in (0, 1))
    kappa = reference.cohen_kappa_score(labels, predictions, labels=range(5), weights="quadratic")
    assert METRICS["kappa"].compute(labels, predictions).score == pytest.approx(kappa)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that is predicted and is none of the labels
        balanced = reference.balanced_accuracy_score(labels, predictions)
    assert METRICS["balanced_accuracy"].compute(labels, predictions).score == pytest.approx(balanced)


def test_kappa_of_one_class_is_the_organisers_to_correct(tmp_path: Path) -> None:
    for name in ("labels", "predictions"):
        (tmp_path / name).write_text("d,1,1\nd,2,1\n")
    with pytest.raises(NsmlError, match="only one class, so kappa is undefined"):
        score_files("kappa", tmp_path / "predictions", tmp_path / "labels")


def test_a_program_learns_the_name_of_the_metric_also_by_hand(
    nsml: Nsml, python: Nsml, tmp_path: Path, project: Path
) -> None:
    push(nsml, tmp_path, "--metric", "kappa")
    program = 'import os\nimport nsml\nnsml.DATASET_PATH\nprint("METRIC", os.environ.get("NSML_METRIC"))\n'
    (project / "main.py").write_text(program)
    name = start_and_wait(nsml, dataset="D")
    assert "METRIC kappa" in nsml("logs", name).out
    assert "METRIC kappa" in python("main.py", NSML_DATASET="D").out


@given(
    st.builds(
        Rules,
        metric=st.sampled_from(sorted(METRICS)),
        lower_is_better=st.booleans(),
        every=st.none() | st.integers(1, 10**7).map(float),
        per_day=st.none() | st.integers(1, 1000),
        total=st.none() | st.integers(1, 1000),
        time_zone=st.sampled_from(["UTC", "Asia/Seoul", "Europe/Berlin", "America/St_Johns"]),
        opens=st.none() | st.integers(10**9, 2 * 10**9).map(float),
        deadline=st.none() | st.integers(2 * 10**9 + 1, 3 * 10**9).map(float),
        public_share=st.none() | st.floats(0.001, 0.999),
        patient_pattern=st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=9).map(
            lambda text: f"({re.escape(text)})"
        ),
        baselines=st.lists(st.sampled_from(["organiser", "keras-1", "김"]), unique=True).map(tuple),
    )
)
def test_shown_rules_are_read_back_as_they_are(rules: Rules) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_text(as_toml(rules), encoding="utf-8", newline="")
        read = read_rules(path, {})
    if rules.public_share is not None:
        assert read.pop("public_seed") == 0
    assert Rules(**{**read, "baselines": tuple(read.get("baselines", ()))}) == rules

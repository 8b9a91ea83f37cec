"""A public part of the test set for the board, the private rest for the final ranking."""

import json
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait, wait_until
from hypothesis import given
from hypothesis import strategies as st

from nsml.errors import NsmlError
from nsml.scoring.public import patients_of, public_part, split
from nsml.store.datasets import find_dataset
from nsml.store.home import open_home
from nsml.store.submissions import choose_final, open_submission, ranking, record_score, submissions_of

LABELS = [0, 1, 2, 3] * 6
# Right for the first twelve photographs only.
HALF = "return [(int(image.mean()) + (n >= 12)) % 4 for n, image in enumerate(data)]"


def push(nsml: Nsml, tmp_path: Path, *rules: str) -> str:
    nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d", labels=LABELS)))
    changed = nsml("dataset", "rules", "D", "public_share=0.5", "public_seed=1", "metric=accuracy", *rules)
    assert changed.status == 0, changed.err
    return changed.err


def board(nsml: Nsml) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = json.loads(nsml("dataset", "board", "-j", "D").out)
    return shown


def halves(nsml: Nsml, project: Path) -> tuple[str, float]:
    """A session that is right for a half of the photographs, and its accuracy on the public part."""
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("return [int(image.mean()) % 4 for image in data]", HALF))
    name = start_and_wait(nsml, dataset="D")
    (project / "main.py").write_text(program)
    public = public_part(find_dataset(open_home(), "D"))
    assert public is not None and len(public) == 12
    return name, sum(int(photograph[-7:-4]) < 12 for photograph in public) / 12


def test_the_board_shows_the_public_part_and_after_the_close_both(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    assert "public: 12 of 24 labels, of 12 of 24 patients" in push(nsml, tmp_path)
    name, public = halves(nsml, project)
    submitted = nsml("submit", name, "best")
    assert f"Score: {public:.10f}".rstrip("0") in submitted.out
    (row,) = board(nsml)
    assert row["score"] == pytest.approx(public) and row["private"] is None
    shown = nsml("dataset", "board", "D").out
    assert "Public" in shown and "Private" not in shown and "the public part of the test set, 50 %" in shown
    closed = nsml("dataset", "close", "-f", "D")
    assert closed.out.splitlines()[0] == "1 submission with a private score"
    (row,) = board(nsml)
    assert (row["score"], row["private"]) == (pytest.approx(public), pytest.approx(1 - public))
    assert nsml("dataset", "board", "D").out.splitlines()[0].split()[:4] == ["Rank", "User", "Private", "Public"]
    assert "the competition was closed at" in nsml("submit", name, "best").err
    again = nsml("dataset", "close", "D")
    assert re.fullmatch(
        r"Dataset D was closed at 20\d\d-.*; 'nsml dataset board D' shows the final ranking\n", again.out
    )
    assert board(nsml) == [row]


def test_close_asks_first_and_names_a_deadline_that_is_not_over(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path, "deadline=2099-01-01T00:00:00Z", "time_zone=UTC")
    asked = nsml("dataset", "close", "D")
    assert asked.status == 1 and "before its deadline, 2099-01-01 00:00 UTC" in asked.out
    assert json.loads(nsml("dataset", "rules", "-j", "D").out)["closed_at"] is None


def test_the_rules_of_a_closed_competition_stay(nsml: Nsml, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("per_day = 3\n")
    nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d")), "--rules", str(rules))
    nsml("dataset", "close", "-f", "D")
    refused = nsml("dataset", "rules", "D", "per_day=5")
    assert refused.status == 2 and "dataset D is closed, so its final ranking stays" in refused.err
    assert "left today" not in nsml("dataset", "show", "D").out
    assert nsml("dataset", "rules", "D", 'baselines=["organiser"]').status == 0


def test_two_submissions_may_be_final_and_the_better_counts(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    push(nsml, tmp_path)
    half, _ = halves(nsml, project)
    good = start_and_wait(nsml, dataset="D")
    first = nsml("submit", "--final", half, "0")
    assert "is final; 1 of 2 are chosen" in first.out and "Score: " in first.out
    again = nsml("submit", "--final", half, "0")
    assert "Submission 1, public score" in again.out and "Score: " not in again.out
    nsml("submit", good, "best")
    nsml("submit", "--final", half, "1")
    third = nsml("submit", "--final", good, "best")
    assert third.status == 2
    assert (
        f"2 submissions are final already, {half} 0 and {half} 1; 'nsml submit --no-final' takes one back" in third.err
    )
    assert nsml("submit", "--final", good, "0").status == 2
    assert len(json.loads(nsml("dataset", "board", "--mine", "-j", "D").out)) == 3
    assert nsml("submit", "--no-final", half, "1").out == "Submission 3 is no longer final\n"
    assert nsml("submit", "--no-final", half, "1").out == "No submission of this checkpoint is final\n"
    assert nsml("submit", "--final", half, "1").status == 0
    nsml("dataset", "close", "-f", "D")
    (row,) = board(nsml)
    assert row["session"] == half and row["final"] and row["private"] != 1
    assert "final" in nsml("dataset", "board", "--all", "D").out
    assert "was closed" in nsml("submit", "--no-final", half, "1").err


def test_final_is_for_competitions_with_a_private_part(nsml: Nsml, trained: str) -> None:
    refused = nsml("submit", "--final", trained, "best")
    assert refused.status == 2 and "dataset FUNDUS has no private part, so the best score counts" in refused.err
    assert nsml("submit", "--final", "-t", trained, "best").status == 2


def _ranked(
    scores: list[tuple[str, float, float | None, float]], **order: object
) -> list[tuple[int | None, str, float]]:
    records = [
        {"number": f"{n}", "user": user, "session": f"{user}/D/1", "checkpoint": "best", "at": at, "score": public}
        | ({} if private is None else {"private": private})
        for n, (user, public, private, at) in enumerate(scores, 1)
    ]
    return [(r.rank, r.user, r.score) for r in ranking(records, **{"lower_is_better": False, **order})]  # type: ignore[arg-type]


def test_without_a_choice_the_best_public_counts_and_ties_go_to_the_earlier() -> None:
    scores = [("a", 0.9, 0.5, 3.0), ("a", 0.8, 0.9, 4.0), ("b", 0.7, 0.5, 2.0), ("c", 0.6, None, 1.0)]
    assert _ranked(scores, by_private=True) == [(1, "b", 0.7), (2, "a", 0.9), (3, "c", 0.6)]
    assert _ranked(scores) == [(1, "a", 0.9), (2, "b", 0.7), (3, "c", 0.6)]


def test_a_baseline_stands_in_the_list_and_has_no_rank() -> None:
    scores = [("a", 0.9, None, 1.0), ("organiser", 0.8, None, 1.0), ("b", 0.7, None, 1.0)]
    assert _ranked(scores, baselines=("organiser",)) == [(1, "a", 0.9), (None, "organiser", 0.8), (2, "b", 0.7)]


def test_baselines_are_marked(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path, 'baselines=["tester"]')
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    assert nsml("dataset", "board", "D").out.splitlines()[1].split()[:2] == ["baseline", "tester"]
    assert board(nsml)[0]["baseline"] is True


def test_of_more_final_submissions_than_are_allowed_the_first_stay() -> None:
    home = open_home()
    for number in ("1", "2", "3"):
        record_score(open_submission(home, "D"), user="a", session="a/D/1", checkpoint=number, score=1.0)
    choose_final(home, "D", "3")
    choose_final(home, "D", "1")
    with pytest.raises(NsmlError, match="a/D/1 3 and a/D/1 1"):
        choose_final(home, "D", "2")
    assert [r["final"] is not None for r in submissions_of(home, "D")[0]] == [True, False, True]


def test_another_seed_is_another_public_part_by_which_scores_are_made_again(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    before = public_part(find_dataset(open_home(), "D"))
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    assert "1 submission is scored in another way" in nsml("dataset", "rules", "D", "public_seed=2").err
    after = public_part(find_dataset(open_home(), "D"))
    assert before is not None and after is not None and before != after and len(before) == len(after)
    assert board(nsml)[0]["outdated"]
    nsml("dataset", "rescore", "D")
    assert not board(nsml)[0]["outdated"]
    nsml("dataset", "rules", "D", "public_share=")
    assert public_part(find_dataset(open_home(), "D")) is None


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("public_share = 0.5\nmetric = 'accuracy'\n", "the private part would be empty"),
        ("public_share = 0.5\npatient_pattern = '(.)'\n", "part would be"),
    ],
)
def test_a_part_that_no_score_could_be_made_of_is_refused_and_nothing_is_pushed(
    nsml: Nsml, tmp_path: Path, rules: str, why: str
) -> None:
    (tmp_path / "rules.toml").write_text(rules)
    labels = [0] if "empty" in why else LABELS
    source = make_dataset(tmp_path / "d", labels=labels)
    refused = nsml("dataset", "push", "D", str(source), "--rules", str(tmp_path / "rules.toml"))
    assert refused.status == 2 and "another share" in refused.err
    assert json.loads(nsml("dataset", "ls", "-j").out) == []


def test_rules_that_cannot_be_leave_those_before(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    assert nsml("dataset", "rules", "D", "patient_pattern='(.)'").status == 2
    assert json.loads(nsml("dataset", "rules", "-j", "D").out)["patient_pattern"] == ""
    assert len(public_part(find_dataset(open_home(), "D")) or ()) == 12


def test_a_refused_change_of_rules_changes_none(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    record = find_dataset(open_home(), "D").record()
    refused = nsml("dataset", "rules", "D", "metric=rmse", "per_day=5", "time_zone=Asia/Tokyo", "patient_pattern='(.)'")
    assert refused.status == 2 and "another share" in refused.err
    assert find_dataset(open_home(), "D").record() == record


def _is_waited_for(lock: Path) -> bool:
    """Whether a process waits for the lock of this file."""
    held = f":{lock.stat().st_ino} "
    return any("->" in line and held in line for line in Path("/proc/locks").read_text().splitlines())


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc tells here who waits for a lock")
def test_what_two_commands_change_in_a_dataset_at_once_is_all_stored(nsml: Nsml, tmp_path: Path) -> None:
    push(nsml, tmp_path)
    dataset = find_dataset(open_home(), "D")
    with ThreadPoolExecutor() as pool:
        with dataset.changing() as record:
            closing = pool.submit(nsml, "dataset", "close", "-f", "D")
            wait_until(lambda: closing.done() or _is_waited_for(dataset.folder / "lock"))
            assert not closing.done()
            record["total"] = 7
        assert closing.result().status == 0
    assert (dataset.record()["total"], dataset.record()["closed_at"] is None) == (7, False)


NAMES = {
    "Wide_AMD_12_R.jpg": "Wide_AMD_12", "Wide_AMD_12_L.jpg": "Wide_AMD_12", "10_left.jpeg": "10", "10_right.jpeg": "10",
    "a-OD.png": "a", "a OS (2).png": "a", "plain.png": None, "L.png": None, "AMD_0,1_R.jpg": "AMD_0,1",
}  # fmt: skip


def test_the_eyes_of_a_patient_are_known_by_the_usual_names(nsml: Nsml, dataset: str) -> None:
    found, without = patients_of(find_dataset(open_home(), dataset), {f"d,{name}": "0" for name in NAMES}, "")
    for name, patient in NAMES.items():
        assert found[f"d,{name}"] == (f"d,{name}" if patient is None else f"patient {patient}")
    assert without == []
    found, without = patients_of(find_dataset(open_home(), dataset), {"d,a_7_x.png": "0", "d,b.png": "1"}, r"_(\d+)_")
    assert found == {"d,a_7_x.png": "patient 7", "d,b.png": "d,b.png"} and without == ["b.png"]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=80),
    st.floats(0.05, 0.95),
    st.integers(0, 9),
)
def test_a_split_takes_whole_patients_and_of_each_class_its_share(
    rows: list[tuple[int, int]], share: float, seed: int
) -> None:
    labels = {f"{n}": f"{label}" for n, (label, _) in enumerate(rows)}
    patients = {f"{n}": f"{patient}" for n, (_, patient) in enumerate(rows)}
    public = split(labels, patients, share, seed)
    assert public == split(labels, patients, share, seed)
    assert {patients[name] for name in public}.isdisjoint({patients[name] for name in labels.keys() - public})
    largest = max(Counter(patients.values()).values())
    # Rounding of a class is evened out by later ones, but for one patient of each, who is in the part in any case.
    assert abs(len(public) - share * len(labels)) <= largest * (1 + len(set(labels.values())))


@given(st.integers(0, 50), st.floats(0.1, 0.9))
def test_single_photographs_are_divided_to_the_nearest_one(seed: int, share: float) -> None:
    labels = {f"{n}": f"{int(n > 60)}" for n in range(100)}
    public = split(labels, {name: name for name in labels}, share, seed)
    assert abs(len(public) - 100 * share) <= 0.5 + 1e-9
    rare = sum(labels[name] == "1" for name in public)
    assert abs(rare - 39 * share) <= 0.5 + 1e-9


def test_what_a_scorer_fails_on_at_the_close_ends_with_status_1_until_it_is_mended(
    nsml: Nsml, tmp_path: Path, project: Path
) -> None:
    source, broken = make_dataset(tmp_path / "d", labels=LABELS), tmp_path / "broken"
    (source / "evaluation").mkdir()
    scorer = f"import os, sys\nif os.path.exists({str(broken)!r}):\n    sys.exit(3)\nprint(7)\n"
    (source / "evaluation" / "evaluation.py").write_text(scorer)
    nsml("dataset", "push", "D", str(source))
    nsml("dataset", "rules", "D", "public_share=0.5")
    nsml("submit", start_and_wait(nsml, dataset="D"), "best")
    broken.touch()
    for words in (("close", "-f", "D"), ("close", "D"), ("rescore", "D")):
        ended = nsml("dataset", *words)
        assert ended.status == 1 and "0 submissions with a private score" in ended.out
        assert (
            "1 submission could not be scored; mend what the warnings name, then 'nsml dataset rescore D'" in ended.err
        )
    broken.unlink()
    assert nsml("dataset", "rescore", "D").status == 0
    assert board(nsml)[0]["private"] == 7


def test_the_scorer_of_the_documentation_scores_each_part(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    document = Path(__file__).parents[2] / "docs" / "reference" / "predictions.md"
    program = document.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert len([line for line in program.splitlines() if line]) == 8
    source = make_dataset(tmp_path / "d", labels=LABELS)
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text(program)
    (tmp_path / "rules.toml").write_text("public_share = 0.5\n")
    pushed = nsml("dataset", "push", "D", str(source), "--rules", str(tmp_path / "rules.toml"))
    assert "public: 12 of 24 labels" in pushed.out, pushed.err
    name, public = halves(nsml, project)
    nsml("submit", name, "best")
    nsml("dataset", "close", "-f", "D")
    assert [(row["score"], row["private"]) for row in board(nsml)] == [
        (pytest.approx(public), pytest.approx(1 - public))
    ]

"""`nsml compare` through the command line, on sessions of a small program that stores predictions."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from helpers import Ended, Nsml

from nsml.cli.main import main
from nsml.errors import install

CLASSES = ("NORMAL", "AMD", "RVO", "DMR")
# Saves one checkpoint per CSV file beside it, with the name of the file and ":" for "+".
PROGRAM = """\
import os
import shutil
import sys
from pathlib import Path

import nsml

chosen = None


def save(folder):
    if chosen.stat().st_size:
        shutil.copyfile(chosen, os.path.join(folder, "validation.csv"))
    else:
        Path(folder, "weights").write_text("1")


nsml.bind(save=save)
for step, chosen in enumerate(sorted(Path(__file__).parent.glob("*.csv"))):
    if "--report" in sys.argv:
        nsml.report(summary=True, step=step, val__score=70.0 + step, note="x")
    nsml.save(chosen.stem.replace("+", ":"))
"""

Train = Callable[..., str]


@pytest.fixture
def train(project: Path, python: Nsml) -> Train:
    """Runs a session that stores the given files, one per checkpoint. Returns its name."""

    def run(*arguments: str, **files: str) -> str:
        (project / "main.py").write_text(PROGRAM)
        for path in project.glob("*.csv"):
            path.unlink()
        for name, text in files.items():
            (project / f"{name}.csv").write_text(text)
        ended = python("main.py", *arguments)
        assert ended.status == 0, ended.err
        started = re.search(r"Session tester/(none/\d+) is started", ended.out + ended.err)
        assert started, ended
        return started[1]

    return run


@pytest.fixture
def compare(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Nsml:
    """`nsml compare ...` in this process, since importing SciPy takes a second."""

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["nsml", "compare", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as raised:
            main()
        return Ended(int(str(raised.value.code)), *capfd.readouterr())

    return run


def table(seed: int, right: float, numbers: Iterable[int] = range(60), classes: Iterable[str] = CLASSES) -> str:
    """Predictions for two photographs of each patient, right with that probability."""
    names = list(classes)
    rng = random.Random(seed)
    lines = [",".join(["sample", "patient", "label", *names])]
    for number in numbers:
        label = names[number % len(names)]
        for eye in "RL":
            answer = label if rng.random() < right else rng.choice([name for name in names if name != label])
            shares = (repr(0.7 if name == answer else 0.3 / (len(names) - 1)) for name in names)
            lines.append(f"{label}/{number}_{eye}.jpg,{number},{label},{','.join(shares)}")
    return "\n".join(lines) + "\n"


def one_line(ended: Ended, status: int, *parts: str) -> None:
    assert ended.status == status, ended
    (line,) = ended.err.splitlines()
    assert line.startswith("nsml: ") and all(part in line for part in parts), line
    assert not ended.out


def test_one_sentence_names_the_better_checkpoint(nsml: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.5), b=table(2, 0.9))
    ended = nsml("compare", f"{session}:a", f"{session}:b")
    assert ended.status == 0, ended.err
    last = ended.out.splitlines()[-1]
    assert re.fullmatch(
        r"Accuracy: B is \d+\.\d points better, 95 % interval \d+\.\d to \d+\.\d, 60 patients: the difference is unlikely to be chance\.",
        last,
    )
    for row in ("accuracy, %", "balanced accuracy, %", "macro AUC", "fundus score"):
        cells = re.search(rf"^{row} +(.+)$", ended.out, re.MULTILINE)
        assert cells and len(re.findall(r"\(-?[\d.]+ to -?[\d.]+\)", cells[1])) == 3, row
    assert "McNemar's exact test: " in ended.out
    assert "120 samples of 60 patients" in ended.out


def test_an_uncertain_difference_may_be_chance(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.8), b=table(2, 0.82))
    last = compare(f"{session}:a", f"{session}:b").out.splitlines()[-1]
    assert "the difference may be chance; " in last and last.endswith(" patients would show a difference of this size.")


def test_arguments_and_code_that_differ_are_two_lines(compare: Nsml, train: Train, project: Path) -> None:
    one = train("--epoch", "2", a=table(1, 0.8))
    (project / "model.py").write_text("x = 1\n")
    two = train("--epoch", "3", "--wide", a=table(1, 0.8))
    lines = compare(one, two).out.splitlines()
    assert lines[:2] == [f"A  tester/{one}:a", f"B  tester/{two}:a"]
    assert "Arguments: --epoch 2 -> 3, --wide (none) -> --wide" in lines
    assert "Code: model.py (+1 -0)" in lines


def test_best_is_compared_where_there_is_one_and_else_the_newest(compare: Nsml, train: Train) -> None:
    one, two = train(best=table(1, 0.8), c=table(2, 0.8)), train(a=table(1, 0.8), b=table(2, 0.8))
    result = json.loads(compare("-j", one, two).out)
    assert (result["first"], result["second"]) == (f"tester/{one}:best", f"tester/{two}:b")


def test_a_checkpoint_with_a_colon_in_its_name_can_be_named(compare: Nsml, train: Train) -> None:
    session = train(**{"epoch+3": table(1, 0.8), "epoch+4": table(2, 0.8)})
    result = json.loads(compare("-j", f"{session}:epoch:3", f"{session}:epoch:4").out)
    assert (result["first"], result["second"]) == (f"tester/{session}:epoch:3", f"tester/{session}:epoch:4")


def test_a_checkpoint_is_the_same_as_itself(compare: Nsml, train: Train) -> None:
    session = train(best=table(1, 0.8))
    assert f"A and B are the same: tester/{session}:best." in compare(session, f"{session}:best").out
    assert json.loads(compare("-j", session, session).out)["kind"] == "same"


def test_one_sample_is_one(compare: Nsml, train: Train) -> None:
    right = table(1, 1.0)
    head, first, rest = right.split("\n", 2)
    wrong = first.rpartition(",")[0].rpartition(",")[0].rpartition(",")[0].rpartition(",")[0] + ",0.1,0.7,0.1,0.1"
    session = train(a=right, b=f"{head}\n{wrong}\n{rest}")
    assert "test: 1 sample only A gets right, 0 only B" in compare(f"{session}:a", f"{session}:b").out


def test_two_checkpoints_with_the_same_predictions_do_not_differ(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.8), b=table(1, 0.8))
    last = compare(f"{session}:a", f"{session}:b").out.splitlines()[-1]
    assert "A and B are right on the same samples" in last and "no practical number of patients would show" in last


def test_json_has_every_metric_with_its_interval(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6), b=table(2, 0.8))
    result = json.loads(compare("-j", f"{session}:a", f"{session}:b").out)
    assert result["kind"] == "predictions" and (result["samples"], result["patients"]) == (120, 60)
    assert set(result["figures"]) == {"accuracy", "balanced_accuracy", "macro_auc", "fundus_score"}
    for figure in result["figures"].values():
        difference = figure["difference"]
        assert difference["low"] <= difference["value"] <= difference["high"] and difference["standard_error"] > 0
        assert figure["second"]["value"] - figure["first"]["value"] == pytest.approx(difference["value"])
    mcnemar = result["mcnemar"]
    gained = (mcnemar["only_second_right"] - mcnemar["only_first_right"]) / 120
    assert gained == pytest.approx(result["figures"]["accuracy"]["difference"]["value"])
    assert result["significant"] in (True, False) and result["sentence"].endswith(".")
    assert result["interval"] == {"level": 0.95, "kind": "percentile", "over": "patients", "resamples": 2000, "seed": 0}


def test_each_side_is_compared_with_the_largest_class_for_every_sample(compare: Nsml, train: Train) -> None:
    # 23 of 35 photographs are NORMAL; B answers that for all of them.
    uneven = [number for number in range(90) if number % 4 == 0 or number % 8 == 1]
    collapsed = re.sub(r",0\.[\d,.]+$", ",0.4,0.3,0.2,0.1", table(1, 0.3, uneven), flags=re.MULTILINE)
    session = train(a=table(1, 0.3, uneven), b=collapsed)
    shown = compare(f"{session}:a", f"{session}:b").out
    constant = re.search(
        r"^ +always NORMAL +A - always NORMAL +B - always NORMAL\naccuracy, % +([\d.]+) .+", shown, re.MULTILINE
    )
    assert constant and float(constant[1]) == pytest.approx(100 * 23 / 35, abs=0.05)
    assert constant[0].endswith("  0.0 (0.0 to 0.0)")
    assert "\nB is not above the same answer for every photograph by accuracy\n" in shown
    assert shown.endswith(" B predicts NORMAL for all 70 samples: it may have collapsed.\n")
    result = json.loads(compare("-j", f"{session}:a", f"{session}:b").out)
    assert result["one_class"] == {"first": None, "second": "NORMAL"}
    actual = result["constant"]["figures"]["accuracy"]
    gain = actual["first_minus_constant"]
    assert gain["low"] < gain["value"] < gain["high"]
    assert gain["value"] == pytest.approx(result["figures"]["accuracy"]["first"]["value"] - actual["value"]["value"])
    assert result["constant"]["figures"]["macro_auc"]["value"]["value"] == 0.5


def test_comparing_twice_gives_the_same_numbers(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6), b=table(2, 0.8))
    one, two = (compare(f"{session}:a", f"{session}:b") for _ in range(2))
    assert one == two


def test_more_than_four_classes_have_no_fundus_score(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6, classes="abcde"), b=table(2, 0.8, classes="abcde"))
    ended = compare(f"{session}:a", f"{session}:b")
    assert "macro AUC" in ended.out and "fundus score" not in ended.out


def test_different_validation_sets_are_compared_on_their_common_samples(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6), b=table(2, 0.8, range(20, 70)))
    out = compare(f"{session}:a", f"{session}:b").out
    assert (
        "The validation sets differ: compared on the 80 samples in both, without 40 of A and 20 of B\n"
        "80 samples of 40 patients" in out
    )


def test_validation_sets_without_a_common_sample_are_refused(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6, range(30)), b=table(2, 0.8, range(30, 60)))
    ended = compare(f"{session}:a", f"{session}:b")
    one_line(ended, 2, f"tester/{session}:a and tester/{session}:b", "no validation sample in common", "same split")


def test_other_classes_are_refused(compare: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6), b=table(1, 0.6, classes=CLASSES[:2]))
    ended = compare(f"{session}:a", f"{session}:b")
    one_line(ended, 2, "the classes differ", "NORMAL, AMD, RVO, DMR", "train both with the same classes")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 1: the first line must be sample,patient,label"),
        ("sample,patient,label,x,y\na,1,x,nan,0\n", "line 2: 'nan' is not a probability"),
        ("sample,patient,label,x,y\n" + "a,1,x,1,0\n" * 2, "line 3: sample 'a' appears twice"),
        ("x" * 100_000_000, "has 100 MB"),
    ],
    ids=["header", "nan", "twice", "100 MB"],
)
def test_invalid_predictions_give_one_line(compare: Nsml, train: Train, text: str, message: str) -> None:
    session = train(a=table(1, 0.8), b=text)
    one_line(compare(f"{session}:a", f"{session}:b"), 1, f"validation.csv of tester/{session}:b", message)


def test_predictions_that_changed_after_the_save_give_one_line(compare: Nsml, train: Train, home: Path) -> None:
    session = train(a=table(1, 0.8), b=table(2, 0.8))
    (path,) = home.glob(f"sessions/tester/{session}/checkpoints/b@*/model/validation.csv")
    path.write_text(path.read_text().replace("0.7", "0.8"))
    one_line(compare(f"{session}:a", f"{session}:b"), 1, "checkpoint b is damaged", "take another checkpoint")


def test_without_predictions_the_reported_values_stand_side_by_side(compare: Nsml, train: Train) -> None:
    session = train("--report", a="", b=table(1, 0.8), c="")
    ended = compare(f"{session}:a", f"{session}:c")
    assert ended.status == 0, ended.err
    assert re.search(
        r"^val/score +70\.0? +72\.0? +\+2$", ended.out.replace("70 ", "70.0 ").replace("72 ", "72.0 "), re.M
    )
    assert "Reported values alone do not show whether a difference is chance." in ended.out
    assert "validation.csv" in ended.out and "nsml compare --help" in ended.out
    result = json.loads(compare("-j", f"{session}:a", f"{session}:c").out)
    assert result["kind"] == "reported"
    assert result["values"]["val/score"] == {"first": 70.0, "second": 72.0, "difference": 2.0}


def test_the_checkpoint_without_predictions_is_named(compare: Nsml, train: Train) -> None:
    session = train("--report", a="", b=table(1, 0.8))
    out = compare(f"{session}:a", f"{session}:b").out
    assert f"No predictions in tester/{session}:a: write validation.csv" in out


def test_sessions_without_a_checkpoint_are_compared_by_their_reported_values(
    compare: Nsml, project: Path, python: Nsml
) -> None:
    for value in (1, 2):
        (project / "main.py").write_text(f"import nsml\nnsml.report(step=1, loss={value})\n")
        assert python("main.py").status == 0
    assert re.search(r"^loss +1 +2 +\+1$", compare("none/1", "none/2").out, re.M)


def test_with_neither_predictions_nor_values_there_is_nothing_to_compare(compare: Nsml, train: Train) -> None:
    session = train(a="", b="")
    ended = compare(f"{session}:a", f"{session}:b")
    one_line(ended, 1, "no stored predictions and no reported values", "validation.csv")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("none/9", "no session tester/none/9"),
        ("none/1:what", "no checkpoint 'what'; it has a"),
        ("nine", "USER/DATASET"),
    ],
)
def test_an_unknown_session_or_checkpoint_is_wrong_use(compare: Nsml, train: Train, second: str, message: str) -> None:
    train(a=table(1, 0.8))
    one_line(compare("none/1", second), 2, message)


def test_a_missing_package_is_named_with_the_command_that_installs_it(nsml: Nsml, train: Train, tmp_path: Path) -> None:
    session = train(a=table(1, 0.6), b=table(2, 0.8))
    # Python imports this before any other module, and takes None for a module that cannot be imported.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['scipy'] = None\n")
    ended = nsml("compare", f"{session}:a", f"{session}:b", PYTHONPATH=f"{tmp_path}:{_library()}")
    one_line(ended, 2, "scipy is needed", install("compare"))


def _library() -> str:
    import nsml

    return str(Path(nsml.__file__).parents[1])


def test_the_command_imports_no_statistics_until_it_runs(python: Nsml) -> None:
    code = "import sys, nsml.cli.compare; print({'numpy', 'scipy'} & set(sys.modules))"
    assert python("-c", code).out == "set()\n"


def test_a_shell_completes_sessions_and_their_checkpoints(nsml: Nsml, train: Train) -> None:
    session = train(a=table(1, 0.6), best=table(2, 0.8))

    def complete(typed: str) -> list[str]:
        completion = nsml(_NSML_COMPLETE="zsh_complete", COMP_WORDS=f"nsml compare {typed}", COMP_CWORD="2")
        return completion.out.splitlines()[1::3]

    assert complete("no") == [session]
    assert [name.replace("\\:", ":") for name in complete(f"{session}:b")] == [f"{session}:best"]

"""The ablation: what each arm changes, its figures, what is kept between calls, and the command."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from tensorflow.python.framework import config

from dataprep.audit.probe import Figure
from dataprep.photograph import Preparation
from model.ablation import document
from model.ablation.arms import ARMS, BY_NAME, Arm, Record
from model.ablation.claims import claim
from model.ablation.command import main
from model.ablation.dataset import find_dataset
from model.ablation.figures import Row, leaks, tabulate, together
from model.ablation.runs import Outcome, Run, plan, read_outcome, result_file, write_outcome
from model.ablation.schedule import make_runs
from model.ablation.words import leak_sentence, sentence
from model.predictions import Predictions
from model.recipe import winning_recipe
from model.settings import Settings

RECORD = Record(Settings(Preparation(64), ("NORMAL", "AMD"), 16, 5, 0.5, folds=2), winning_recipe(32, 0.003, 16))


def changes(before: object, after: object, prefix: str = "") -> set[str]:
    """The names of the fields, of nested records too, in which two records differ."""
    found = set()
    for field in dataclasses.fields(before):  # type: ignore[arg-type]
        mine, theirs = getattr(before, field.name), getattr(after, field.name)
        if dataclasses.is_dataclass(mine) and theirs is not None:
            found |= changes(mine, theirs, f"{prefix}{field.name}.")
        elif isinstance(mine, tuple) and mine and dataclasses.is_dataclass(mine[0]) and len(mine) == len(theirs):
            for one, other in zip(mine, theirs, strict=True):
                found |= changes(one, other, f"{prefix}{field.name}.")
        elif mine != theirs:
            found.add(prefix + field.name)
    return found


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("recipe", set()),
        ("file_split", {"settings.split"}),
        ("no_local_average", {"settings.preparation.local_average"}),
        ("no_augmentation", {"recipe.phases.augmentation"}),
        ("adam", {"settings.optimizer"}),
        ("no_smoothing", {"recipe.phases.label_smoothing"}),
        ("one_phase", {"recipe.phases"}),
        ("no_class_weights", {"recipe.class_weights"}),
        ("no_batch_norm", {"settings.batch_norm"}),
        ("sample_cnn", {"sample"}),
        ("tta", {"symmetric"}),
        ("ema", {"settings.ema"}),
        ("half", {"settings.share"}),
        ("quarter", {"settings.share"}),
    ],
)
def test_an_arm_changes_the_ingredient_that_it_is_named_after_and_no_other(name: str, changed: set[str]) -> None:
    assert changes(RECORD, BY_NAME[name].change(RECORD)) == changed


def test_without_the_second_phase_there_are_as_many_epochs() -> None:
    assert BY_NAME["one_phase"].change(RECORD).recipe.epochs == RECORD.recipe.epochs


def test_every_arm_has_a_digest_of_its_own() -> None:
    assert len({arm.change(RECORD).digest() for arm in BY_NAME.values()}) == len(BY_NAME)


def predictions(seed: int, count: int = 40, skill: float = 1.0, patients: int = 20, start: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    raised = rng.normal(0, 1, count) + skill * (2 * labels - 1)
    second = 1 / (1 + np.exp(-raised))
    return Predictions(
        [f"{start + i}.jpg" for i in range(count)], [f"p{(start + i) % patients}" for i in range(count)], labels,
        np.stack([1 - second, second], axis=1).astype(np.float32),
    )  # fmt: skip


def outcome(validation: Predictions | None, test: Predictions | None = None, failed: str = "") -> Outcome:
    return Outcome(validation, test, 60.0, 90.0, "2026-01-02 03:04", "a machine", failed)


def done(arms: dict[str, float], folds: int = 2, seeds: int = 1, tested: bool = True) -> list[tuple[Run, Outcome]]:
    """Runs of arms that are as skilled as is said, on the same photographs."""
    found = []
    for seed in range(seeds):
        for fold in range(folds):
            for name, skill in arms.items():
                record = RECORD.with_settings(seed=seed, fold=fold)
                test = predictions(99 + seed, 30, skill, 30) if tested else None
                answers = predictions(10 * seed + fold, 40, skill, start=100 * fold)
                found.append((Run(BY_NAME[name], record, f"{name}-{seed}-{fold}"), outcome(answers, test)))
    return found


def test_the_figures_of_one_fold_are_those_of_scikit_learn() -> None:
    found = done({"recipe": 0.7}, folds=1)
    answers = found[0][1].validation
    assert answers is not None
    row = tabulate(found, [BY_NAME["recipe"]], resamples=50).rows[0]
    assert row.validation is not None
    said = answers.probabilities.argmax(axis=1)
    assert [figure.value for figure in row.validation] == pytest.approx(
        [
            accuracy_score(answers.labels, said),
            balanced_accuracy_score(answers.labels, said),
            roc_auc_score(answers.labels, answers.probabilities[:, 1]),
        ]
    )


def test_accuracies_are_of_all_photographs_and_an_auc_is_the_mean_of_the_folds() -> None:
    found = done({"recipe": 0.7}, folds=2)
    row = tabulate(found, [BY_NAME["recipe"]], resamples=50).rows[0]
    folds = [result.validation for _, result in found if result.validation is not None]
    labels = np.concatenate([fold.labels for fold in folds])
    said = np.concatenate([fold.probabilities.argmax(axis=1) for fold in folds])
    areas = [roc_auc_score(fold.labels, fold.probabilities[:, 1]) for fold in folds]
    assert row.validation is not None
    assert [figure.value for figure in row.validation] == pytest.approx(
        [accuracy_score(labels, said), balanced_accuracy_score(labels, said), np.mean(areas)]
    )


def test_a_difference_that_is_there_has_an_interval_without_zero_and_one_that_is_not_holds_zero() -> None:
    arms = [BY_NAME[name] for name in ("recipe", "adam", "no_local_average")]
    rows = tabulate(done({"recipe": 1.5, "adam": 1.5, "no_local_average": 0.0}), arms).rows
    assert rows[0].difference is None
    same, worse = (row.difference for row in rows[1:])
    assert same is not None and worse is not None
    assert [figure.value for figure in same] == pytest.approx([0, 0, 0])
    assert all(figure.high < 0 for figure in worse)


def test_only_folds_that_every_arm_was_trained_on_are_compared() -> None:
    found = done({"recipe": 1.0, "adam": 1.0})[:-1]
    table = tabulate(found, [BY_NAME["recipe"], BY_NAME["adam"]], resamples=10)
    assert table.cells == ((0, 0),)
    assert table.left_out == 1


def test_an_arm_that_could_not_be_trained_has_no_figures_but_a_count() -> None:
    found = done({"recipe": 1.0, "no_batch_norm": 1.0})
    found = [
        (run, outcome(None, None, "the loss is nan") if run.arm.name == "no_batch_norm" else kept)
        for run, kept in found
    ]
    row = tabulate(found, [BY_NAME["recipe"], BY_NAME["no_batch_norm"]], resamples=10).rows[1]
    assert row.validation is None
    assert row.failed == 2
    assert sentence(row) == "no BatchNorm: 2 of its trainings could not go on, so there are no figures: it is needed"


def row_of(name: str, value: float, low: float, high: float) -> Row:
    figures = (Figure(0, 0, 0), Figure(value, low, high), Figure(0, 0, 0))
    return Row(BY_NAME[name], figures, figures, None, None, 1.0, 0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (row_of("adam", 0.01, -0.02, 0.04), "Adam, not RAdam: +1.0 points, 95 % interval -2.0 to +4.0: cannot be told apart"),
        (row_of("no_smoothing", -0.05, -0.08, -0.02), "5.0 points worse, 95 % interval 2.0 to 8.0: it helps"),
        (row_of("no_smoothing", 0.05, 0.02, 0.08), "5.0 points better, 95 % interval 2.0 to 8.0: without it the recipe is better here"),
        (row_of("sample_cnn", -0.05, -0.08, -0.02), "the recipe is above the floor"),
        (row_of("file_split", 0.05, 0.02, 0.08), "validation promises more than by patient"),
    ],
)  # fmt: skip
def test_a_sentence_says_no_more_than_the_interval_does(row: Row, words: str) -> None:
    assert words in sentence(row)


def test_folds_together_answer_by_their_mean_probabilities() -> None:
    found = done({"recipe": 0.5}, folds=3)
    tests = [predictions(50 + fold, 30, 0.5, 30) for fold in range(3)]
    found = [(run, outcome(kept.validation, test)) for (run, kept), test in zip(found, tests, strict=True)]
    (averaged,) = together(found, [BY_NAME["recipe"]], resamples=20)
    mean = np.mean([test.probabilities[:, 1] for test in tests], axis=0)
    assert averaged.difference is None
    assert [figure.value for figure in averaged.test] == pytest.approx(
        [
            accuracy_score(tests[0].labels, mean > 0.5),
            balanced_accuracy_score(tests[0].labels, mean > 0.5),
            roc_auc_score(tests[0].labels, mean),
        ]
    )


def test_one_fold_is_not_averaged() -> None:
    assert together(done({"recipe": 0.5}, folds=1), [BY_NAME["recipe"]]) == ()


def test_a_leak_is_validation_above_the_test_set() -> None:
    arms = [BY_NAME["recipe"], BY_NAME["file_split"]]
    kept = done({"recipe": 1.0}, folds=4)
    split = [
        (run, outcome(found.validation, predictions(7, 200, 0.0, 200)))
        for run, found in done({"file_split": 2.0}, folds=4)
    ]
    by_patient, by_file = leaks([*kept, *split], arms)
    assert by_file.gap[1].low > 0.1
    assert by_patient.gap[1].low < by_patient.gap[1].value < by_patient.gap[1].high
    assert "split by file, " in leak_sentence([by_patient, by_file])


def test_without_test_labels_there_is_no_leak_to_show() -> None:
    assert (
        leaks(done({"recipe": 1.0, "file_split": 1.0}, tested=False), [BY_NAME["recipe"], BY_NAME["file_split"]]) == ()
    )


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.text(max_size=8), st.integers(0, 3), st.floats(0, 1, width=32)),
        min_size=1,
        max_size=5,
    )
)
def test_what_came_of_a_run_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.json"
    kept = Predictions(
        [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows], int),
        np.array([[row[3], 1 - row[3]] for row in rows], np.float32).reshape(len(rows), -1),
    )  # fmt: skip
    write_outcome(path, Run(ARMS[0], RECORD, "run"), outcome(kept))
    found = read_outcome(path)
    assert found is not None and found.validation is not None
    assert found.test is None
    assert (found.validation.samples, found.validation.patients) == (kept.samples, kept.patients)
    np.testing.assert_array_equal(found.validation.labels, kept.labels)
    np.testing.assert_array_equal(found.validation.probabilities, kept.probabilities)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"validation": 3}'])
def test_a_damaged_outcome_is_named_with_the_mend(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.json cannot be read .*; delete it, and the run is made again"):
        read_outcome(path)


def test_a_claim_is_one_processs_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.claim"
    path.write_text("process 1 on a machine that is gone", encoding="utf-8")
    with claim(path) as mine, claim(path) as theirs:
        assert mine
        assert not theirs
    assert not path.exists()


@dataclasses.dataclass(frozen=True)
class Photographs:
    digest: str = "0" * 12


def test_runs_go_on_where_they_stopped(tmp_path: Path) -> None:
    runs = plan(RECORD, Photographs(), ARMS[:2], seeds=1)  # type: ignore[arg-type]
    assert [(run.arm.name, *run.cell) for run in runs] == [
        ("recipe", 0, 0), ("file_split", 0, 0), ("recipe", 0, 1), ("file_split", 0, 1)
    ]  # fmt: skip
    made: list[str] = []

    def execute(run: Run) -> Outcome:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(run.name)
        return outcome(predictions(0))

    with pytest.raises(KeyboardInterrupt):
        make_runs(runs, tmp_path, execute, told=lambda line: None)
    made.append("and on")
    assert make_runs(runs, tmp_path, execute, told=lambda line: None) == 0
    assert made == [runs[0].name, runs[1].name, "and on", runs[2].name, runs[3].name]


def test_a_run_that_another_process_makes_is_left_to_it(tmp_path: Path) -> None:
    runs = plan(RECORD, Photographs(), ARMS[:1], seeds=1)  # type: ignore[arg-type]
    with claim(tmp_path / f"{runs[0].name}.claim"):
        assert make_runs(runs, tmp_path, lambda run: outcome(predictions(0)), told=lambda line: None) == 1
    assert not result_file(tmp_path, runs[0]).exists()


def test_findings_take_the_place_of_older_ones_and_leave_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "results.md"
    path.write_text("# Results\n\nbefore\n<!-- X: begin -->\nold\n<!-- X: end -->\nafter\n", encoding="utf-8")
    document.put(path, "X", "new")
    document.put(path, "Y", "other")
    assert path.read_text(encoding="utf-8") == (
        "# Results\n\nbefore\n<!-- X: begin -->\nnew\n<!-- X: end -->\nafter\n\n<!-- Y: begin -->\nother\n<!-- Y: end -->\n"
    )


def test_a_document_whose_second_mark_is_missing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.md"
    path.write_text("<!-- X: begin -->\nold\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"results\.md has <!-- X: begin --> without <!-- X: end -->"):
        document.put(path, "X", "new")
    assert path.read_text(encoding="utf-8") == "<!-- X: begin -->\nold\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two classes, each patient with two eyes, and test photographs with labels."""
    root = tmp_path_factory.mktemp("data") / "DRAWN"
    rng = np.random.default_rng(0)
    lines = []
    for number in range(16):
        for eye in "RL":
            name, code, label = (("NORMAL", "NOR", 0), ("AMD", "AMD", 1))[number % 2]
            path = root / "train" / "train_data" / name / f"Wide_{code}_{number}_{eye}.jpg"
            photograph(path, label, rng)
    for number in range(8):
        label = number % 2
        photograph(root / "test" / "test_data" / f"{number}.jpg", label, rng)
        lines.append(f"test_data,{number}.jpg,{label}\n")
    (root / "test" / "test_label").write_text("".join(lines), encoding="utf-8")
    return root


def photograph(path: Path, label: int, rng: np.random.Generator) -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    cv2.circle(image, (30, 30), 28, (60, 90, 170), -1)
    if label:
        cv2.circle(image, tuple(int(v) for v in rng.integers(20, 40, 2)), 5, (240, 240, 240), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def deterministic() -> Iterator[None]:
    yield
    # Tests of other files in the same process compile with XLA, which Keras declines while operations are deterministic.
    config.disable_op_determinism()


@pytest.mark.usefixtures("deterministic")
def test_the_command_trains_each_arm_and_tells_what_they_say_and_then_trains_none_again(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "ablate", "--data", str(drawn), "--folds", "2", "--epoch", "1", "--image_size", "32", "--width", "2", "--only",
        "tta,sample_cnn", "--out", str(tmp_path / "out"), "--markdown", str(tmp_path / "results.md"),
    ]  # fmt: skip
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "DRAWN: 3 arms, 2 folds, 1 seeds: 6 runs, 6 to make" in printed
    for words in (
        "the recipe",
        "with 8 views",
        "the sample CNN",
        "probe: colours",
        "test set",
        "folds averaged",
        "One seed:",
    ):
        assert f"\n{words}" in printed
    assert len(list((tmp_path / "out" / "runs").glob("*.json"))) == 6
    assert cv2.imread(str(tmp_path / "out" / "forest.png")) is not None
    written = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "](out/forest.png)" in written
    assert f"{tmp_path}" not in written

    assert main(command) == 0
    assert "6 runs, 0 to make" in capsys.readouterr().out


def test_the_experiment_of_the_leak_takes_the_runs_of_the_ablation(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = find_dataset(str(drawn), None, 2, 1)
    recipe = winning_recipe(32, 0.003, 16)
    settings = Settings(Preparation(96), dataset.classes, 16, depth=5, dropout=recipe.dropout, l2=recipe.l2, folds=2)
    for run in plan(Record(settings, recipe), dataset, ARMS, seeds=1):
        (tmp_path / "runs").mkdir(exist_ok=True)
        fold = run.cell[1]
        write_outcome(
            result_file(tmp_path / "runs", run), run, outcome(predictions(fold, start=100 * fold), predictions(9))
        )
    assert main(["leak", "--data", str(drawn), "--folds", "2", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "DRAWN: 2 arms, 2 folds, 1 seeds: 4 runs, 0 to make" in printed
    assert "by patient (the recipe)" in printed
    assert "Kept together by patient, validation is " in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "no_such"], "argument --only: no arm 'no_such'; there are recipe, file_split"),
        (["--classes", "NORMAL,AMD,DMR"], "no photographs of DMR; --classes may name others"),
        (["--folds", "20"], "20"),
        (["--data", "/nowhere/at/all"], "/nowhere/at/all: no such folder; give the dataset's"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_mend(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["ablate", "--data", str(drawn), "--out", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ablate: ") and error.count("\n") == 1
    assert words in error


def test_a_dataset_knows_its_test_labels_and_tells_changed_photographs_apart(drawn: Path, tmp_path: Path) -> None:
    found = find_dataset(str(drawn), None, 2, 1)
    assert found.classes == ("NORMAL", "AMD")
    assert found.test_labels.tolist() == [0, 1] * 4
    (drawn / "train" / "train_data" / "AMD" / "Wide_AMD_1_R.jpg").write_bytes(b"other")
    assert find_dataset(str(drawn), None, 2, 1).digest != found.digest


def test_an_outcome_file_is_json_that_says_what_was_trained(tmp_path: Path) -> None:
    arm: Arm = BY_NAME["adam"]
    run = Run(arm, arm.change(RECORD), "adam")
    write_outcome(tmp_path / "adam.json", run, outcome(predictions(0)))
    found = json.loads((tmp_path / "adam.json").read_text(encoding="utf-8"))
    assert found["record"]["settings"]["optimizer"] == "adam"
    assert found["ended"] == "2026-01-02 03:04"

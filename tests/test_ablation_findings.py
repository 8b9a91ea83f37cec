"""What the runs of an ablation say: figures, intervals and sentences, of synthetic predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from evidence.ablation import table
from evidence.ablation.arms import BY_NAME
from evidence.ablation.figures import Row, leaks, tabulate, together
from evidence.ablation.runs import Outcome, Run
from evidence.ablation.words import leak_sentence, sentence
from evidence.bootstrap import Figure
from tests.ablation_samples import RECORD, outcome, predictions


def done(arms: dict[str, float], folds: int = 2, seeds: int = 1, tested: bool = True) -> list[tuple[Run, Outcome]]:
    """Runs of arms that are as skilled as is said, on the same photographs."""
    result = []
    for seed in range(seeds):
        for fold in range(folds):
            for name, skill in arms.items():
                record = RECORD.with_settings(seed=seed, fold=fold)
                test = predictions(99 + seed, 30, skill, 30) if tested else None
                answers = predictions(10 * seed + fold, 40, skill, start=100 * fold)
                result.append((Run(BY_NAME[name], record, f"{name}-{seed}-{fold}"), outcome(answers, test)))
    return result


def test_the_figures_of_one_fold_are_those_of_scikit_learn() -> None:
    runs = done({"recipe": 0.7}, folds=1)
    answers = runs[0][1].validation
    assert answers is not None
    row = tabulate(runs, [BY_NAME["recipe"]]).rows[0]
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
    runs = done({"recipe": 0.7}, folds=2)
    row = tabulate(runs, [BY_NAME["recipe"]]).rows[0]
    folds = [result.validation for _, result in runs if result.validation is not None]
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
    runs = done({"recipe": 1.0, "adam": 1.0})[:-1]
    table = tabulate(runs, [BY_NAME["recipe"], BY_NAME["adam"]])
    assert table.cells == ((0, 0),)
    assert table.left_out == 1


def test_an_arm_that_could_not_be_trained_has_no_figures_but_a_count() -> None:
    runs = done({"recipe": 1.0, "no_batch_norm": 1.0})
    runs = [
        (run, outcome(None, None, "the loss is nan") if run.arm.name == "no_batch_norm" else saved)
        for run, saved in runs
    ]
    row = tabulate(runs, [BY_NAME["recipe"], BY_NAME["no_batch_norm"]]).rows[1]
    assert row.validation is None
    assert row.failed == 2
    assert sentence(row) == "no BatchNorm: 2 of its trainings failed, so there are no figures: it is needed"
    assert sentence(replace(row, arm=BY_NAME["tta"])).endswith("2 of its trainings failed, so there are no figures")


def test_a_recipe_that_could_not_be_trained_is_said_and_not_blamed_on_its_arms() -> None:
    runs = done({"recipe": 1.0, "no_batch_norm": 1.0})
    runs = [(run, outcome(None, None, "the loss is nan") if run.arm.name == "recipe" else saved) for run, saved in runs]
    row = tabulate(runs, [BY_NAME["recipe"], BY_NAME["no_batch_norm"]]).rows[1]
    assert sentence(row) == "no BatchNorm: the recipe's own training failed, so there is nothing to compare it with"


def row_of(name: str, value: float, low: float, high: float) -> Row:
    figures = (Figure(0, 0, 0), Figure(value, low, high), Figure(0, 0, 0))
    return Row(BY_NAME[name], figures, figures, None, None, 1.0, 0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (row_of("adam", 0.01, -0.02, 0.04), "Adam, not RAdam: +1.0 points, 95 % interval -2.0 to +4.0: the difference may be chance"),
        (row_of("no_smoothing", -0.05, -0.08, -0.02), "5.0 points worse, 95 % interval 2.0 to 8.0: it helps"),
        (row_of("no_smoothing", 0.05, 0.02, 0.08), "5.0 points better, 95 % interval 2.0 to 8.0: the recipe is better without it here"),
        (row_of("sample_cnn", -0.05, -0.08, -0.02), "the recipe is above it"),
        (row_of("ema", 0.05, 0.02, 0.08), "5.0 points better, 95 % interval 2.0 to 8.0: it helps"),
        (row_of("tta", -0.05, -0.08, -0.02), "the recipe is worse with it here"),
        (row_of("half", -0.05, -0.08, -0.02), "more patients help"),
        (row_of("file_split", 0.05, 0.02, 0.08), "validation promises more than by patient"),
    ],
)  # fmt: skip
def test_a_sentence_says_no_more_than_the_interval_does(row: Row, words: str) -> None:
    assert words in sentence(row)


def test_folds_together_answer_by_their_mean_probabilities() -> None:
    runs = done({"recipe": 0.5}, folds=3)
    tests = [predictions(50 + fold, 30, 0.5, 30) for fold in range(3)]
    runs = [(run, outcome(saved.validation, test)) for (run, saved), test in zip(runs, tests, strict=True)]
    (averaged,) = together(runs, [BY_NAME["recipe"]])
    mean = np.mean([test.probabilities[:, 1] for test in tests], axis=0)
    assert averaged.difference is None
    assert [figure.value for figure in averaged.test] == pytest.approx(
        [
            accuracy_score(tests[0].labels, mean > 0.5),
            balanced_accuracy_score(tests[0].labels, mean > 0.5),
            roc_auc_score(tests[0].labels, mean),
        ]
    )


def test_folds_together_are_those_of_a_seed_and_the_figures_the_mean_over_the_seeds() -> None:
    runs = done({"recipe": 0.4, "adam": 0.8}, folds=2, seeds=2)
    arms = [BY_NAME["recipe"], BY_NAME["adam"]]
    recipe, adam = together(runs, arms)
    of_seeds = [together([pair for pair in runs if pair[0].cell[0] == seed], arms) for seed in (0, 1)]
    for averaged, one, other in ((recipe, *(o[0] for o in of_seeds)), (adam, *(o[1] for o in of_seeds))):
        wanted = [(a.value + b.value) / 2 for a, b in zip(one.test, other.test, strict=True)]
        assert [figure.value for figure in averaged.test] == pytest.approx(wanted)
    assert adam.difference is not None and adam.difference[0].low > 0
    # A third seed of one fold is no ensemble to be compared with the others.
    more = done({"recipe": 0.4, "adam": 0.8}, folds=1, seeds=3)[4:]
    assert together(runs + more, arms) == (recipe, adam)


def test_one_fold_is_not_averaged() -> None:
    assert together(done({"recipe": 0.5}, folds=1), [BY_NAME["recipe"]]) == ()


def test_a_leak_is_validation_above_the_test_set() -> None:
    arms = [BY_NAME["recipe"], BY_NAME["file_split"]]
    runs = done({"recipe": 1.0}, folds=4)
    split = [
        (run, outcome(result.validation, predictions(7, 200, 0.0, 200)))
        for run, result in done({"file_split": 2.0}, folds=4)
    ]
    by_patient, by_file = leaks([*runs, *split], arms)
    assert by_file.gap[1].low > 0.1
    assert by_patient.gap[1].low < by_patient.gap[1].value < by_patient.gap[1].high
    assert "split by file, " in leak_sentence([by_patient, by_file])


def test_without_test_labels_there_is_no_leak_to_show() -> None:
    assert (
        leaks(done({"recipe": 1.0, "file_split": 1.0}, tested=False), [BY_NAME["recipe"], BY_NAME["file_split"]]) == ()
    )


def test_tables_fit_a_terminal_of_100_columns_and_have_a_line_for_each_arm_in_markdown() -> None:
    arms = [BY_NAME["recipe"], BY_NAME["file_split"], BY_NAME["largest_class"]]
    runs = done({"recipe": 0.4, "file_split": 0.8, "largest_class": 0.2})
    figures = tabulate(runs, arms)
    for grid in (
        table.ablation_grid(figures, {}), table.test_grid(figures), table.together_grid(together(runs, arms)),
        table.leak_grid(leaks(runs, arms)),
    ):  # fmt: skip
        assert max(map(len, table.as_text(grid).splitlines())) <= 100
        assert sorted(table.as_text(grid).split()) == sorted(" ".join(map(" ".join, grid)).split())
        assert len(table.as_markdown(grid).splitlines()) == 1 + len(grid)

"""The ablation: what each arm changes, what is kept between calls, and the command."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.__main__ import main
from evidence.ablation import document
from evidence.ablation.arms import ARMS, BY_NAME, Arm, Record, tried_arm
from evidence.ablation.dataset import DatasetError, find_dataset
from evidence.ablation.execute import execute
from evidence.ablation.keras_way import train_keras_way
from evidence.ablation.runs import Outcome, Run, plan, read_outcome, result_file, write_outcome
from evidence.ablation.sample_cnn import load_photographs
from evidence.ablation.schedule import claim, make_runs
from model.data import read_data
from model.network import Network, begin_network
from model.recipes import transfer, winning
from model.records import Predictions
from model.settings import Settings
from tests.ablation_samples import RECORD, draw_dataset, outcome, predictions


def changes(before: object, after: object, prefix: str = "") -> set[str]:
    """The names of the fields, of nested records too, in which two records differ."""
    result = set()
    for field in dataclasses.fields(before):  # type: ignore[arg-type]
        mine, theirs = getattr(before, field.name), getattr(after, field.name)
        if dataclasses.is_dataclass(mine) and theirs is not None:
            result |= changes(mine, theirs, f"{prefix}{field.name}.")
        elif isinstance(mine, tuple) and mine and dataclasses.is_dataclass(mine[0]) and len(mine) == len(theirs):
            for one, other in zip(mine, theirs, strict=True):
                result |= changes(one, other, f"{prefix}{field.name}.")
        elif mine != theirs:
            result.add(prefix + field.name)
    return result


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("recipe", set()),
        ("file_split", {"settings.split"}),
        ("no_local_average", {"settings.recipe.local_average"}),
        ("no_augmentation", {"settings.recipe.phases.augmentation"}),
        ("adam", {"settings.recipe.optimizer"}),
        ("no_smoothing", {"settings.recipe.phases.label_smoothing"}),
        ("one_phase", {"settings.recipe.phases"}),
        ("no_class_weights", {"settings.recipe.class_weights"}),
        ("no_batch_norm", {"settings.recipe.batch_norm"}),
        ("sample_cnn", {"sample"}),
        ("tta", {"settings.recipe.views"}),
        ("ema", {"settings.recipe.ema"}),
        ("longer", {"settings.recipe.epochs"}),
        ("wider", {"settings.recipe.width"}),
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


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.text(max_size=8), st.integers(0, 3), st.floats(0, 1, width=32)),
        min_size=1,
        max_size=5,
    )
)
def test_what_came_of_a_run_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.json"
    validation = Predictions(
        [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] for row in rows], int),
        np.array([[row[3], 1 - row[3]] for row in rows], np.float32).reshape(len(rows), -1),
    )  # fmt: skip
    write_outcome(path, Run(ARMS[0], RECORD, "run"), outcome(validation))
    loaded = read_outcome(path)
    assert loaded is not None and loaded.validation is not None
    assert loaded.test is None
    assert (loaded.validation.samples, loaded.validation.patients) == (validation.samples, validation.patients)
    np.testing.assert_array_equal(loaded.validation.labels, validation.labels)
    np.testing.assert_array_equal(loaded.validation.probabilities, validation.probabilities)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"validation": 3}'])
def test_a_damaged_outcome_is_named_with_the_fix(tmp_path: Path, text: str) -> None:
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


def test_a_file_that_cannot_be_locked_is_no_run_of_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(OSError, match="No locks available"), claim(tmp_path / "run.claim"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="file names in other encodings are Linux's")
def test_the_sample_cnn_reads_what_the_recipe_reads(
    draw_fundus: Callable[..., np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = draw_fundus(120, 150)
    named, deep, broken = (tmp_path / name for name in (os.fsdecode(b"\xb0\xa1.png"), "deep.png", "broken.png"))
    content = cv2.imencode(".png", image)[1].tobytes()
    named.write_bytes(content)
    deep.write_bytes(cv2.imencode(".png", image.astype(np.uint16) * 16)[1].tobytes())  # 12 bits
    broken.write_bytes(content[:60] + bytes(200) + content[260:])
    images = load_photographs([named, deep, broken], 32)
    expected = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) / 255
    np.testing.assert_allclose(images[:2], [expected, expected], atol=0.01)
    assert not images[2].any()
    assert "warning: 1 of 3 photographs are black, the first: " in capsys.readouterr().out


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
        make_runs(runs, tmp_path, execute)
    made.append("and on")
    assert make_runs(runs, tmp_path, execute) == 0
    assert made == [runs[0].name, runs[1].name, "and on", runs[2].name, runs[3].name]


def test_a_run_that_another_process_makes_is_left_to_it(tmp_path: Path) -> None:
    runs = plan(RECORD, Photographs(), ARMS[:1], seeds=1)  # type: ignore[arg-type]
    with claim(tmp_path / f"{runs[0].name}.claim"):
        assert make_runs(runs, tmp_path, lambda run: outcome(predictions(0))) == 1
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
    return draw_dataset(tmp_path_factory.mktemp("data") / "DRAWN")


@pytest.mark.usefixtures("determinism_ends")
def test_the_command_trains_each_arm_and_tells_what_they_say_and_then_trains_none_again(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "ablate", "--data", str(drawn), "--folds", "2", "--recipe", "winning", "--epoch", "1", "--image_size", "32",
        "--set", "width=2", "--set", "depth=2", "--only", "sample_cnn", "--try", "dropout=0.3", "--try", "dropout=0,width=3",
        "--out", str(tmp_path / "out"), "--markdown", str(tmp_path / "results.md"),
    ]  # fmt: skip
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "left out: dropout=0.3, which changes nothing in recipe winning\n" in printed
    assert "DRAWN: 3 arms, 2 folds, 1 seed: 6 runs, 6 to make" in printed
    for words in (
        "the recipe",
        "the sample CNN",
        "dropout=0, width=3",
        "probe: colours",
        "test set",
        "folds averaged",
        "One seed:",
    ):
        assert f"\n{words}" in printed
    assert len(list((tmp_path / "out" / "runs").glob("*.json"))) == 6
    assert cv2.imread(str(tmp_path / "out" / "forest.png")) is not None
    assert (tmp_path / "out" / "forest.pdf").read_bytes().startswith(b"%PDF")
    assert "<svg" in (tmp_path / "out" / "forest.svg").read_text(encoding="utf-8")
    written = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "](out/forest.png)" in written
    assert f"{tmp_path}" not in written
    assert "--recipe winning --set epochs=1 " in written and "--try dropout=0,width=3" in written

    assert main(command) == 0
    assert "6 runs, 0 to make" in capsys.readouterr().out


def test_a_field_that_was_an_argument_is_answered_with_the_way_to_set_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ablate", "--data", "x", "--width", "8"])
    assert (
        "unrecognized arguments: --width 8; a field of the recipe is given as --set width=8" in capsys.readouterr().err
    )


def test_an_arm_begins_with_the_weights_that_its_recipe_names(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.ablation.execute.train", lambda network, data, **hooks: None)
    dataset = find_dataset(str(drawn), None, 2, 1)
    recipe = dataclasses.replace(transfer(), image_size=32, views=1)
    learned, random = (
        execute(
            Record(Settings(dataclasses.replace(recipe, weights=weights), dataset.classes, folds=2)), dataset, tmp_path
        )
        for weights in ("imagenet", "random")
    )
    assert learned.validation is not None and random.validation is not None
    assert not np.allclose(learned.validation.probabilities, random.validation.probabilities)


def test_the_experiment_of_the_leak_takes_the_runs_of_the_ablation(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = find_dataset(str(drawn), None, 2, 1)
    for run in plan(Record(Settings(winning(), dataset.classes, folds=2)), dataset, ARMS, seeds=1):
        (tmp_path / "runs").mkdir(exist_ok=True)
        fold = run.cell[1]
        write_outcome(
            result_file(tmp_path / "runs", run), run, outcome(predictions(fold, start=100 * fold), predictions(9))
        )
    assert main(["leak", "--data", str(drawn), "--folds", "2", "--recipe", "winning", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "DRAWN: 2 arms, 2 folds, 1 seed: 4 runs, 0 to make" in printed
    assert "by patient" in printed and "(the recipe)" in printed  # in two lines, as the table is wide
    assert "Split by patient, validation is " in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "no_such"], "argument --only: no arm 'no_such'; there are recipe, file_split"),
        (["--try", "depht=2"], "argument --try: depht is not a field of a recipe"),
        (["--try", "width"], "argument --try: 'width' is neither a recipe nor FIELD=VALUE"),
        (
            ["--recipe", "winning", "--set", "width=200", "--only", "wider"],
            "argument --only: wider: width is 400; give a whole number from 1 to 256",
        ),
        (["--classes", "NORMAL,AMD,DMR"], "no photographs of DMR, only of NORMAL, AMD; --classes may name others"),
        (["--folds", "20"], "20"),
        (["--data", "/nowhere/at/all"], "/nowhere/at/all: no such folder; give the dataset's"),
        (
            ["--pretrained", "/nowhere"],
            "argument --pretrained: /nowhere/settings.json: No such file or directory; give",
        ),
    ],
)
def test_wrong_use_is_one_line_that_names_the_fix(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["ablate", "--data", str(drawn), "--out", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ablate: ") and error.count("\n") == 1
    assert words in error


def test_a_dataset_knows_its_test_labels_and_tells_changed_photographs_apart(drawn: Path, tmp_path: Path) -> None:
    dataset = find_dataset(str(drawn), None, 2, 1)
    assert dataset.classes == ("NORMAL", "AMD")
    assert dataset.test_labels.tolist() == [0, 1] * 4
    (drawn / "train" / "train_data" / "AMD" / "Wide_AMD_1_R.jpg").write_bytes(b"other")
    assert find_dataset(str(drawn), None, 2, 1).digest != dataset.digest


def test_test_labels_are_found_by_a_name_in_another_normalisation_and_with_blanks(drawn: Path, tmp_path: Path) -> None:
    root = tmp_path / "KOREAN"
    shutil.copytree(drawn, root)
    first = sorted((root / "test" / "test_data").iterdir())[0]
    first.rename(first.with_name(unicodedata.normalize("NFD", "검사 0.jpg")))
    labels = root / "test" / "test_label"
    text = labels.read_text(encoding="utf-8").replace(first.name, "검사 0.jpg").replace(",", ", ")
    labels.write_text(text.replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    assert find_dataset(str(root), None, 2, 1).test_labels.tolist() == [0, 1] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("test_data;000.jpg;1", "test_label, line 1, 'test_data;000.jpg;1': it names no test photograph; write FOLDER,FILE,LABEL"),
        ("test_data,000.jpg,7", "test_label: no label is 0 or 1, as the classes are; correct the labels"),
    ],
)  # fmt: skip
def test_a_label_file_that_does_not_fit_is_named_with_its_line(
    drawn: Path, tmp_path: Path, text: str, words: str
) -> None:
    root = tmp_path / "WRONG"
    shutil.copytree(drawn, root)
    first = sorted((root / "test" / "test_data").iterdir())[0].name
    (root / "test" / "test_label").write_text(text.replace("000.jpg", first), encoding="utf-8")
    with pytest.raises(DatasetError, match=re.escape(words.replace("000.jpg", first))):
        find_dataset(str(root), None, 2, 1)


def test_an_ablation_whose_reader_has_ended_says_so_in_one_line(drawn: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "evidence", "ablate", "--data", str(drawn), "--out", str(tmp_path), "--minutes", "0"],
        stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120,
    )  # fmt: skip
    os.close(writer)
    assert ended.returncode == 1
    says = "ablate: stopped, as the program that read its output has ended; repeat the command to continue\n"
    assert ended.stderr == says


def test_a_leak_without_test_labels_is_refused_before_the_first_run(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leak", "--data", str(drawn / "train" / "train_data"), "--out", str(tmp_path)]) == 2
    assert "has no test labels to compare with; give a dataset's folder with test/test_label" in capsys.readouterr().err


def test_an_outcome_file_is_json_that_says_what_was_trained(tmp_path: Path) -> None:
    arm: Arm = BY_NAME["adam"]
    run = Run(arm, arm.change(RECORD), "adam")
    write_outcome(tmp_path / "adam.json", run, outcome(predictions(0)))
    values = json.loads((tmp_path / "adam.json").read_text(encoding="utf-8"))
    assert values["record"]["settings"]["recipe"]["optimizer"] == "adam"
    assert values["ended"] == "2026-01-02 03:04"


def test_another_recipe_is_an_arm_by_its_name() -> None:
    record = Record(Settings(transfer(), ("NORMAL", "AMD"), seed=2, folds=5, fold=1))
    changed = tried_arm("winning", {}).change(record)
    assert changed == Record(Settings(winning(), ("NORMAL", "AMD"), seed=2, folds=5, fold=1))


def test_another_recipe_has_the_fields_that_the_command_line_sets_for_all() -> None:
    record = Record(Settings(transfer(), ("NORMAL", "AMD")))
    assert tried_arm("winning", {"epochs": 1, "image_size": 32}).change(record).recipe == dataclasses.replace(
        winning(), epochs=1, image_size=32
    )


def test_the_outcome_of_an_arm_with_a_path_is_a_file_of_the_folder(drawn: Path, tmp_path: Path) -> None:
    arm = tried_arm(f"weights={tmp_path / ('long' * 60)}.weights.h5", {})
    (run,) = plan(RECORD.with_settings(folds=1), find_dataset(str(drawn), None, 2, 1), (arm,), 1)
    write_outcome(result_file(tmp_path, run), run, outcome(predictions(0)))
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize("rival", ["largest_class", "frozen_features"])
def test_a_rival_is_fitted_on_the_same_split_and_trains_no_network(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rival: str
) -> None:
    monkeypatch.setattr("evidence.ablation.execute.train", None)
    dataset = find_dataset(str(drawn), None, 2, 1)
    record = Record(Settings(dataclasses.replace(winning(), image_size=32), dataset.classes, folds=2))
    fitted = execute(BY_NAME[rival].change(record), dataset, tmp_path)
    assert fitted.validation is not None and fitted.test is not None
    assert fitted.validation.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    answers = fitted.validation.probabilities.argmax(axis=1)
    assert (len(np.unique(answers)) == 1) == (rival == "largest_class")


def test_the_keras_guide_trains_the_last_layer_and_then_all_but_the_normalisation(drawn: Path, tmp_path: Path) -> None:
    dataset = find_dataset(str(drawn), None, 2, 1)
    recipe = dataclasses.replace(winning(), image_size=32, width=4, epochs=2)
    settings = Settings(recipe, dataset.classes, folds=2)
    data = read_data(dataset.photographs, settings, tmp_path)
    before = [layer.get_weights() for layer in begin_network(settings).model.layers]
    changed: list[set[str]] = []

    def compare(network: Network) -> None:
        layers = zip(network.model.layers, before, strict=True)
        changed.append(
            {
                layer.name
                for layer, old in layers
                if any((a != b).any() for a, b in zip(layer.get_weights(), old, strict=True))
            }
        )

    model = train_keras_way(data, settings, compare).model
    weighted = [layer for layer in model.layers if layer.weights]
    normalised = {layer.name for layer in weighted if isinstance(layer, keras.layers.BatchNormalization)}
    assert changed == [{weighted[-1].name}] * 2 + [{layer.name for layer in weighted} - normalised] * 2

"""`nsml.training_photographs`: what a program gets to train on, whatever the classes and wherever the labels are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import write_photograph

import nsml
from nsml.scoring.photographs import Photographs


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder train/ of a session's dataset, empty."""
    monkeypatch.setattr("nsml.session.training.current", lambda: SimpleNamespace(dataset_path=str(tmp_path)))
    return tmp_path / "train"


def draw(train: Path, *names: str) -> None:
    for brightness, name in enumerate(names):
        write_photograph(train / "train_data" / name, brightness)


def test_classes_are_numbered_as_the_dataset_was_pushed(train: Path) -> None:
    draw(train, "dry/7_L.png", "dry/7_R.png", "healthy/8_left.png", "wet/9.png")
    (train / "classes.txt").write_text("healthy\nwet\ndry\nother\n")
    data = nsml.training_photographs()
    assert data.classes == ("healthy", "wet", "dry", "other") and data.labels == [2, 2, 0, 1]
    assert data.patients == ["7", "7", "8", "9"]
    assert [path.name for path in data.paths] == ["7_L.png", "7_R.png", "8_left.png", "9.png"]


def test_images_are_what_infer_gets(train: Path) -> None:
    draw(train, "a/1.png", "b/2.png")
    data = nsml.training_photographs()
    assert isinstance(data.images, Photographs)
    assert [(image.shape, image.max()) for image in data.images] == [((32, 40, 3), 0), ((32, 40, 3), 1)]


def test_a_table_gives_labels_and_patients(train: Path) -> None:
    draw(train, "a.png", "b.png", "c.png")
    (train / "labels.csv").write_text("file,label,patient\na,mild,1\nb,severe,1\nc,mild,2\n")
    data = nsml.training_photographs()
    assert (data.classes, data.labels, data.patients) == (("mild", "severe"), [0, 1, 0], ["1", "1", "2"])


def test_what_is_left_out_is_counted(train: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(train, "a/1.png", "b/2.png", "3.png")
    (train / "train_data" / "b" / "4.png").write_bytes(b"")
    assert nsml.training_photographs().labels == [0, 1]
    assert capsys.readouterr().err.splitlines() == [
        "warning: 1 photograph is left out, in no class folder (3.png)",
        "warning: 1 photograph is left out, as unreadable: 4.png is empty",
    ]


def test_without_a_dataset_the_program_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsml.session.training.current", lambda: SimpleNamespace(dataset_path=""))
    with pytest.raises(SystemExit, match="there is no dataset; start this with 'nsml run -d DATASET'"):
        nsml.training_photographs()


@pytest.mark.parametrize(
    ("names", "problem"),
    [((), "0 photographs with a label;"), (("a/1.png", "a/2.png"), "2 photographs with a label, of a;")],
)
def test_without_two_classes_the_program_ends_with_one_line(train: Path, names: tuple[str, ...], problem: str) -> None:
    draw(train, *names)
    with pytest.raises(SystemExit) as ended:
        nsml.training_photographs()
    assert f"train_data: {problem} training needs two classes" in str(ended.value) and "\n" not in str(ended.value)

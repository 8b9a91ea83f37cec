"""`nsml new`: a project of each example, which is trained, submitted and ranked as its README says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from helpers import Nsml, write_photograph

from nsml.cli.new import FUNDUS
from nsml.demo import draw_dataset
from nsml.demo.table import draw_table
from nsml.engine.requirements import missing_packages, read_needs

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes with other names than the competition's, in an order that is not that of their names."""
    folder = tmp_path_factory.mktemp("drawn") / "EYES"
    draw_dataset(folder, train=40, test=8)
    data = folder / "train" / "train_data"
    for old, new in (("NORMAL", "healthy"), ("AMD", "dry"), ("RVO", "blocked")):
        (data / old).rename(data / new)
    shutil.rmtree(data / "DMR")
    test = folder / "test" / "test_label"
    lines = [line.split(",") for line in test.read_text().splitlines()]
    test.write_text("".join(",".join(line) + "\n" for line in lines if line[-1] != "3"))
    for *path, label in lines:
        if label == "3":
            (folder / "test").joinpath(*path).unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("example", ["sklearn", "keras", "torch", "lightgbm"])
def test_an_example_is_trained_submitted_and_ranked_as_its_readme_says(
    nsml: Nsml, tmp_path: Path, photographs: Path, example: str
) -> None:
    folder = tmp_path / "mine"
    made = nsml("new", str(folder), "--from", example)
    assert made.status == 0, made.err
    if missing := missing_packages(read_needs(folder)):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert nsml("check", folder=folder).out.splitlines()[-1] == "ok: main.py can be submitted"
    steps = [
        line.split("  ")[0] for line in (folder / "README.md").read_text().splitlines() if line.startswith("nsml ")
    ]
    assert len(steps) == 5 and all(step in made.out for step in steps)
    if example != "lightgbm":  # fewer than `nsml dataset demo` draws
        steps[0] = f"nsml dataset push FUNDUS_DEMO {photographs} --classes healthy,dry,blocked --metric accuracy"
    for step in steps:
        ended = nsml(*step.split()[1:], folder=folder)
        assert ended.status == 0, nsml("logs", f"{step.split()[3]}/1").out + ended.err if "run" in step else ended.err
        if "logs" in step:
            assert "ended with exit status 0" in ended.out, ended.out
    assert "Score" in nsml("dataset", "board", "TABLE_DEMO" if example == "lightgbm" else "FUNDUS_DEMO").out


def test_photographs_of_one_patient_end_an_example_with_one_line(nsml: Nsml, python: Nsml, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_photograph(tmp_path / "eye" / "train" / "train_data" / name / "7.png", 100)
    assert nsml("dataset", "push", "EYE", str(tmp_path / "eye")).status == 0
    ended = python(str(REPOSITORY / "examples" / "sklearn_minimal.py"), NSML_DATASET="EYE")
    assert ended.status == 1 and "Traceback" not in ended.err
    assert ended.err.splitlines()[-1].endswith("add photographs of more patients")


def test_the_fundus_template_is_the_repositorys(nsml: Nsml, tmp_path: Path) -> None:
    folder = tmp_path / "eyes"
    assert nsml("new", str(folder), "--from", "fundus").status == 0
    assert {path.name for path in folder.iterdir()} == {*FUNDUS, "README.md"}
    made = [path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"]
    assert len(made) > 60
    for path in made:
        assert path.read_bytes() == (REPOSITORY / path.relative_to(folder)).read_bytes()
    assert nsml("check", folder=folder).out.splitlines()[-1] == "ok: main.py can be submitted"


def test_a_folder_in_use_is_left_as_it_is(nsml: Nsml, project: Path) -> None:
    before = (project / "main.py").read_bytes()
    ended = nsml("new", str(project))
    assert (ended.status, ended.err) == (2, f"nsml: {project} is not an empty folder; name another one\n")
    assert os.listdir(project) == ["main.py"] and (project / "main.py").read_bytes() == before
    assert os.listdir(project.parent) == ["project"]


def test_a_folder_with_a_blank_is_quoted_in_what_to_type_next(nsml: Nsml, tmp_path: Path) -> None:
    assert "\n\ncd 'x y'\nnsml " in nsml("new", "x y", folder=tmp_path).out


def test_an_empty_folder_is_filled(nsml: Nsml, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert nsml("new", ".", folder=tmp_path / "here").status == 0
    assert sorted(os.listdir(tmp_path / "here")) == ["README.md", "main.py", "requirements.txt"]


def test_a_table_is_drawn_alike_from_the_same_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_table(tmp_path / name, seed)
    a, b, c = ((tmp_path / name / "train/train_data/table.csv").read_text() for name in "abc")
    assert a == b != c
    assert a.splitlines()[0] == "age,pressure,glucose,thickness,noise,label" and len(a.splitlines()) == 601
    assert len((tmp_path / "a/test/test_label").read_text().split()) == 200

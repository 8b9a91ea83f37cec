"""Datasets of other competitions: labels in another form, data without photographs, files of the organiser that are missing."""

import json
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait
from program_helpers import NUMBERS, push, put, scored, train

_BOXES = {f"{n:03}.png": [[0, 11, 22, 33]] for n in range(4)}


def _with_boxes(folder: Path, evaluation: str = "") -> Path:
    """Photographs with labels in JSON, and the scorer that reads them."""
    source = make_dataset(folder / "source")
    (source / "test" / "test_label").write_text(json.dumps(_BOXES))
    if evaluation:
        (source / "evaluation").mkdir()
        (source / "evaluation" / "evaluation.py").write_text(evaluation)
    return source


_COUNT = """\
import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--prediction")
with open(parser.parse_args().prediction) as answers, open("data/BOXES/test/test_label") as labels:
    print(len(answers.readlines()) / len(json.load(labels)))
"""


def test_a_scorer_reads_labels_that_are_no_lines_for_classes_that_it_alone_knows(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    nsml("dataset", "push", "BOXES", str(_with_boxes(tmp_path, _COUNT)))
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "int(image.mean())"))  # 100 and more
    assert scored(nsml("submit", start_and_wait(nsml, dataset="BOXES"), "best")) == "Score: 1"


def test_push_says_what_infer_gets_where_a_scorer_came_without_its_loader(nsml: Nsml, tmp_path: Path) -> None:
    pushed = nsml("dataset", "push", "BOXES", str(_with_boxes(tmp_path, _COUNT)))
    assert "warning: evaluation/ has no data_loader.py" in pushed.err


def test_push_says_that_labels_in_json_need_a_scorer(nsml: Nsml, tmp_path: Path) -> None:
    pushed = nsml("dataset", "push", "BOXES", str(_with_boxes(tmp_path)))
    assert "warning: test/test_label is JSON; bring evaluation/evaluation.py" in pushed.err


@pytest.mark.parametrize("label", ["P0012,diagnosis=RVO\n", '{"000.png": "P0012"}'])
def test_a_submit_shows_nothing_of_labels_that_cannot_be_read(nsml: Nsml, tmp_path: Path, label: str) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "test" / "test_label").write_text(label)
    nsml("dataset", "push", "FUNDUS", str(source))
    refused = nsml("submit", start_and_wait(nsml), "best")
    assert refused.status == 1 and "the labels of dataset FUNDUS are wrong" in refused.err
    assert "P0012" not in refused.err and "RVO" not in refused.err


@pytest.mark.parametrize("way", ["", "train/"])
def test_files_of_a_dataset_without_sides_are_found_with_train_and_without(
    nsml: Nsml, project: Path, tmp_path: Path, way: str
) -> None:
    push(tmp_path, "", {"faces.txt": "1 2", "deep/names.txt": "a b"}, "FACES")
    (project / "main.py").write_text(
        f"import nsml\nfor name in ('faces.txt', 'deep/names.txt'):\n    print(open(f'{{nsml.DATASET_PATH}}/{way}{{name}}').read())\n"
    )
    assert "1 2\na b\n" in nsml("logs", train(nsml, dataset="FACES")).out


def test_a_dataset_without_sides_is_counted_once(nsml: Nsml, tmp_path: Path) -> None:
    push(tmp_path, "", {"faces.txt": "1 2", "deep/names.txt": "a b"}, "FACES")
    assert '"train_files": 2' in nsml("dataset", "show", "FACES", "--json").out


def test_a_program_that_expects_more_than_a_path_is_told_that_there_is_no_loader(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    push(tmp_path, "", NUMBERS)
    put(project, "infer/paths.py")  # for each letter of a path it opens a file
    refused = nsml("submit", train(nsml), "last")
    assert refused.status == 1
    assert "infer gets the path of test/test_data, as the dataset has no evaluation/data_loader.py" in refused.err


def test_a_program_that_expects_paths_of_photographs_is_told_that_it_gets_arrays(
    nsml: Nsml, project: Path, dataset: str
) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "int(image.rsplit('.')[0])"))
    refused = nsml("submit", start_and_wait(nsml), "best")
    assert refused.status == 1
    assert "infer gets the photographs as arrays, as the dataset has no evaluation/data_loader.py" in refused.err


def test_data_without_photographs_are_scored_by_accuracy_unless_given(nsml: Nsml, tmp_path: Path) -> None:
    push(tmp_path, "")
    assert '"metric": "accuracy"' in nsml("dataset", "show", "NUMBERS", "--json").out


def test_a_package_that_a_scorer_lacks_is_named_with_its_command(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "BOXES", str(_with_boxes(tmp_path, "import no_such_package\n")))
    refused = nsml("submit", start_and_wait(nsml, dataset="BOXES"), "best")
    assert refused.status == 1 and "-m pip install no_such_package" in refused.err


def test_a_perfect_zero_is_no_suspicion_where_lower_is_better(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "BOXES", str(_with_boxes(tmp_path, "print(0)\n")), "--lower-is-better")
    submitted = nsml("submit", start_and_wait(nsml, dataset="BOXES"), "best")
    assert submitted.out.endswith("Score: 0\nDone\n") and "exactly 0" not in submitted.err


@pytest.mark.parametrize(
    "command", ["login team146 -e CP949", "dataset push --private FUNDUS SOURCE", "submit -t FUNDUS/1 best --esm KR1"]
)
def test_options_of_the_platforms_that_mean_nothing_here_are_accepted(nsml: Nsml, tmp_path: Path, command: str) -> None:
    source = make_dataset(tmp_path / "source")
    if command.startswith("submit"):
        nsml("dataset", "push", "FUNDUS", str(source))
        start_and_wait(nsml)
    ended = nsml(*command.replace("SOURCE", str(source)).split())
    assert ended.status == 0 and "has no effect here" in ended.err


def test_a_loader_as_in_the_guide_hands_over_a_list_of_paths(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "organise.md").read_text()
    loader = guide.partition("```python\n# evaluation/data_loader.py")[2].partition("```")[0]
    files = {f"test/test_data/{n}.txt": f"{value}\n" for n, value in enumerate((2, 4, 6, 8))}
    labels = {"test/test_label": "".join(f"test_data,{n}.txt,{n // 2}\n" for n in range(4))}
    push(
        tmp_path, "", {"train/train_data/numbers.txt": "1 0\n", **files, **labels, "evaluation/data_loader.py": loader}
    )
    put(project, "infer/paths.py")
    assert scored(nsml("submit", train(nsml), "last")) == "Score: 1"

"""What the competitions' loaders handed to `infer`, and what programs handed back."""

import importlib.util
from pathlib import Path

import pytest
from helpers import Ended, Nsml
from program_helpers import NUMBERS, printed, push, put, scored, train


def _submit(nsml: Nsml, project: Path, folder: Path, habit: str, files: dict[str, str], *options: str) -> Ended:
    push(folder, habit, files, habit.upper())
    put(project, f"infer/{habit}.py")
    return nsml("submit", *options, train(nsml, dataset=habit.upper()), "last")


ARRAYS = {
    "train/train_data/a.txt": "10 10\n10 10\n",
    "train/train_data/b.txt": "200 200 200\n",
    "test/test_data/0.txt": "20 20\n20 30\n20 20\n",
    "test/test_data/1.txt": "250\n",
    "test/test_data/2.txt": "0 255 255\n",
    "test/test_label": "test_data,0.txt,0\ntest_data,1.txt,1\ntest_data,2.txt,1\n",
}


def test_a_list_of_arrays_comes_in_and_a_list_of_ints_goes_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert scored(_submit(nsml, project, tmp_path, "arrays", ARRAYS)) == "Score: 1"


def test_four_views_a_patient_come_in_one_array_and_an_array_goes_back(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    row = "0 1 2 3 4 5 " * 3
    files = {
        "train/train_data/views.txt": f"{row}0 1 2 3 4 8\n",
        "test/test_data/views.txt": f"{row}0 1 2 3 4 2\n{row}0 1 2 3 4 8\n{row}0 1 2 3 4 6\n",
        "test/test_label": "0.625\n1\n1\n",
    }
    assert scored(_submit(nsml, project, tmp_path, "views", files)) == "Score: 0.9167"


def test_lines_come_in_and_a_zip_of_probabilities_and_answers_goes_back(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    files = {
        "train/train_data/reviews.txt": "좋다 최고 great\n",
        "test/test_data/reviews.txt": "정말 좋다, 최고\n별로다\ngreat, great, great\n",
        "test/test_label": "7\n1\n10\n",
    }
    assert scored(_submit(nsml, project, tmp_path, "lines", files)) == "Score: 10"


def test_queries_and_references_come_as_two_lists_and_a_dict_goes_back(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    files = {
        "train/train_data/none.txt": "",
        "test/test_data/query/q1.txt": "1",
        "test/test_data/query/q2.txt": "9",
        "test/test_data/reference/r1.txt": "1.5",
        "test/test_data/reference/r2.txt": "5.4",
        "test/test_data/reference/r3.txt": "7",
        "test/test_label": "q1 r1\nq2 r2\n",
    }
    assert scored(_submit(nsml, project, tmp_path, "rankings", files)) == "Score: 0.75"


SPOKEN = {
    "train/train_data/none.txt": "",
    "train/train_label": "가나다라",
    "test/test_data/a.wav": "0 1",
    "test/test_data/b.wav": "2",
    "test/test_data/c.wav": "3 3 1",
    "test/test_label": "a.wav,가나\nb.wav,다\nc.wav,라라라\n",
}


def test_one_path_a_call_comes_in_and_a_text_goes_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert scored(_submit(nsml, project, tmp_path, "spoken", SPOKEN)) == "Score: 0.833"


def test_what_many_calls_of_infer_print_is_in_the_log_of_a_dry_run(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    _submit(nsml, project, tmp_path, "spoken", SPOKEN, "-t")
    assert [line for line in printed(nsml, "SPOKEN/2") if line.startswith("call")] == ["call 1", "call 2", "call 3"]


def test_a_dry_run_shows_what_the_loader_wrote_of_texts(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    shown = _submit(nsml, project, tmp_path, "spoken", SPOKEN, "-t").out
    assert shown.splitlines()[:3] == ["a.wav,가나", "b.wav,다", "c.wav,라라나"]


def test_a_list_of_paths_comes_in_and_an_array_of_numpy_integers_goes_back(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    files = {"train/train_data/none.txt": "", "test/test_data/x_0.txt": "1 2", "test/test_data/y_1.txt": "8 9"}
    assert scored(_submit(nsml, project, tmp_path, "paths", files)) == "Score: 1"


def test_the_folder_of_the_test_data_comes_in_and_a_dict_of_classes_goes_back(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    files = {"train/train_data/none.txt": "", "test/test_data/a/1.txt": "1", "test/test_data/b/9.txt": "9"}
    shown = _submit(nsml, project, tmp_path, "folder", files, "-t").out
    assert shown.splitlines()[:2] == ["1.txt,0", "9.txt,1"]


def test_dataset_path_comes_in_and_a_generator_goes_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert scored(_submit(nsml, project, tmp_path, "whole", dict(NUMBERS))) == "Score: 1"


def test_the_dataset_path_that_infer_is_handed_is_the_constant_of_the_program(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    _submit(nsml, project, tmp_path, "whole", dict(NUMBERS), "-t")
    assert "the same folder as DATASET_PATH: True" in printed(nsml, "WHOLE/2")


def test_infer_may_spread_its_work_over_processes(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    push(tmp_path)
    put(project, "infer/workers.py")
    assert scored(nsml("submit", train(nsml), "last")) == "Score: 1"


def test_a_folder_and_a_table_come_in_and_a_list_of_texts_goes_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    files = {
        "train/train_data/none.txt": "",
        "test/test_data/files/a.txt": "one two three",
        "test/test_data/files/b.txt": "하나 둘",
        "test/test_data/questions.csv": "file,word\na.txt,3\nb.txt,1\n",
        "test/test_label": "three\n하나\n",
    }
    assert scored(_submit(nsml, project, tmp_path, "table", files)) == "Score: 1"


def test_root_and_phase_come_in_and_numpy_floats_go_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    files = {
        "train/train_data/rows.txt": "1 2\n2 4\n",
        "test/test_data/rows.txt": "2\n3\n",
        "test/test_label": "4.5\n5.5\n",
    }
    assert scored(_submit(nsml, project, tmp_path, "phase", files)) == "Score: 0.5"


@pytest.mark.skipif(
    importlib.util.find_spec("pandas") is None, reason="pandas is not installed, so there are no frames"
)
def test_a_data_frame_comes_in_and_goes_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    files = {
        "train/train_data/rows.csv": "number\n2\n8\n",
        "test/test_data/rows.csv": "number\n1\n7\n",
        "test/test_label": "0\n1\n",
    }
    assert scored(_submit(nsml, project, tmp_path, "frame", files)) == "Score: 1"


QUESTIONS = {
    "train/train_data/none.txt": "",
    "test/test_data/questions.txt": "is it so\tit is so\nhow are you\twho is there\n",
    "test/test_label": "1\n0\n",
}


def test_a_loader_of_2018_hands_over_two_lists_and_pairs_go_back(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert scored(_submit(nsml, project, tmp_path, "loader_2018", QUESTIONS)) == "Score: 1"


def test_predictions_that_a_scorer_of_2018_cannot_read_score_minus_one_with_its_message(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    push(tmp_path, "loader_2018", QUESTIONS, "LOADER_2018")
    put(project, "infer/loader_2018.py")
    main = project / "main.py"
    main.write_text(main.read_text().replace("int(share > ", "str(share > "))
    submitted = nsml("submit", train(nsml, dataset="LOADER_2018"), "last")
    assert submitted.out.splitlines()[0] == "Score: -1"
    assert "warning: a score of exactly -1" in submitted.err and "invalid literal for int()" in submitted.err

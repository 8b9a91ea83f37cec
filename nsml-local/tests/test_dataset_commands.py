"""`nsml dataset push`, `ls` and `rm`."""

import json
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset


def test_push_says_what_it_found(nsml: Nsml, tmp_path: Path) -> None:
    told = nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d"))).out
    assert (
        told
        == "Dataset D: 8 training files (AMD 2, DMR 2, NORMAL 2, RVO 2), 4 test files, hidden labels, the built-in scorer fundus\n"
    )


def test_push_takes_a_folder_without_a_test_set(nsml: Nsml, tmp_path: Path) -> None:
    (tmp_path / "d" / "train").mkdir(parents=True)
    (tmp_path / "d" / "train" / "lines.csv").write_text("1,2\n")
    assert "no labels: it cannot be scored" in nsml("dataset", "push", "D", str(tmp_path / "d")).out


def test_the_labels_lie_where_no_session_looks(nsml: Nsml, dataset: str, home: Path) -> None:
    folder = home / "datasets" / dataset
    assert [p.relative_to(folder).parts[0] for p in folder.rglob("test_label")] == ["hidden"]
    assert (folder / "hidden" / "test" / "test_label").stat().st_mode & 0o077 == 0


def test_the_photographs_are_linked_not_copied(nsml: Nsml, dataset: str, home: Path, tmp_path: Path) -> None:
    inside = "train/train_data/AMD/Wide_AMD_1_R.jpg"
    assert (home / "datasets" / dataset / "training" / inside).samefile(tmp_path / "source" / inside)


def test_ls_lists_counts_for_programs(nsml: Nsml, dataset: str) -> None:
    (row,) = json.loads(nsml("dataset", "ls", "-j").out)
    assert (row["name"], row["train_files"], row["test_files"], row["labels"]) == (dataset, 8, 4, True)


def test_rm_asks_first(nsml: Nsml, dataset: str) -> None:
    assert nsml("dataset", "rm", dataset).status == 1
    assert dataset in nsml("dataset", "ls").out


def test_rm_forgets_the_dataset_and_leaves_the_organisers_files(nsml: Nsml, dataset: str, tmp_path: Path) -> None:
    assert nsml("dataset", "rm", "-f", dataset).status == 0
    assert dataset not in nsml("dataset", "ls").out
    assert (tmp_path / "source" / "test" / "test_label").exists()


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_dataset_is_one_warning(nsml: Nsml, dataset: str, home: Path, content: str) -> None:
    (home / "datasets" / dataset / "dataset.json").write_text(content)
    listed = nsml("dataset", "ls")
    assert listed.status == 0 and "is damaged" in listed.err


def test_push_copies_where_it_is_told_to(nsml: Nsml, tmp_path: Path, home: Path) -> None:
    nsml("dataset", "push", "--copy", "D", str(make_dataset(tmp_path / "d")))
    inside = "train/train_data/AMD/Wide_AMD_1_R.jpg"
    copied = home / "datasets" / "D" / "training" / inside
    assert copied.read_bytes() == (tmp_path / "d" / inside).read_bytes()
    assert not copied.samefile(tmp_path / "d" / inside)


def test_show_says_how_the_dataset_is_scored(nsml: Nsml, tmp_path: Path) -> None:
    source = str(make_dataset(tmp_path / "d"))
    nsml("dataset", "push", "D", source, "--metric", "rmse", "--every", "1h")
    told = nsml("dataset", "show", "D").out
    assert (
        "the built-in scorer rmse" in told
        and "lowest score first, a submission every 1 hour" in told
        and source in told
    )


def test_search_lists_the_datasets_whose_name_holds_the_text(nsml: Nsml, dataset: str, tmp_path: Path) -> None:
    nsml("dataset", "push", "OTHER", str(make_dataset(tmp_path / "d")))
    assert [row["name"] for row in json.loads(nsml("dataset", "search", "-j", "fund").out)] == [dataset]


def test_rename_takes_sessions_and_board_along(nsml: Nsml, trained: str) -> None:
    nsml("submit", trained, "best")
    assert nsml("dataset", "rename", "FUNDUS", "EYES").status == 0
    assert nsml("submit", "EYES/1", "best").out.startswith("Score: 100.010001")
    assert json.loads(nsml("dataset", "board", "-j", "EYES").out)[0]["submissions"] == 2
    assert nsml("dataset", "show", "FUNDUS").status == 2


def test_rename_to_a_name_that_is_taken_changes_nothing(nsml: Nsml, trained: str, tmp_path: Path) -> None:
    nsml("dataset", "push", "OTHER", str(make_dataset(tmp_path / "d")))
    assert nsml("dataset", "rename", "FUNDUS", "OTHER").status == 2
    assert "FUNDUS/1" in nsml("ps", "-a").out and nsml("dataset", "show", "FUNDUS").status == 0


@pytest.mark.parametrize("every", ["soon", "", "-1h", "1w"])
def test_an_interval_that_is_no_time_is_refused(nsml: Nsml, tmp_path: Path, every: str) -> None:
    refused = nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d")), "--every", every)
    assert refused.status == 2 and "--every" in refused.err


def test_a_dataset_without_sides_is_shown_whole(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "diabetes.csv").write_text("1,2\n")
    assert "no folder train/" in nsml("dataset", "push", "diabetes", str(tmp_path / "d")).out
    (project / "read.py").write_text(
        "import os; print(open(os.path.join(os.environ['NSML_DATASET_PATH'], 'diabetes.csv')).read())"
    )
    assert "1,2" in nsml("run", "read.py", "-i", "-d", "diabetes").out


def test_test_data_may_be_one_file(nsml: Nsml, tmp_path: Path) -> None:
    for side in ("train", "test"):
        (tmp_path / "d" / side).mkdir(parents=True)
        (tmp_path / "d" / side / f"{side}_data").write_text("a,b\n1,2\n")
        (tmp_path / "d" / side / f"{side}_label").write_text("1\n")
    assert "1 test files, hidden labels" in nsml("dataset", "push", "D", str(tmp_path / "d")).out

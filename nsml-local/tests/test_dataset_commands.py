"""`nsml dataset push`, `ls` and `rm`."""

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import Ended, Nsml, make_dataset, start_and_wait

from nsml.store.files import read_json, write_json
from nsml.store.home import open_home

GOOD_LABELS = "test_data,a.png,0\ntest_data,b.png,1\n"


def test_push_prints_the_numbers_of_files(nsml: Nsml, tmp_path: Path) -> None:
    output = nsml("dataset", "push", "D", str(make_dataset(tmp_path / "d"))).out
    classes = "0 NORMAL: 2, 1 AMD: 2, 2 RVO: 2, 3 DMR: 2"
    assert (
        output == f"Dataset D: 8 training files ({classes}), 4 test files, hidden labels, the built-in scorer fundus\n"
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


def test_rm_says_that_the_dataset_was_isolated_as_the_next_push_has_to_be(nsml: Nsml, dataset: str) -> None:
    path = open_home().datasets / dataset / "dataset.json"
    write_json(path, read_json(path) | {"isolate": True})
    assert "push it with --isolate again" in nsml("dataset", "rm", "-f", dataset).err


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


def test_push_copies_if_asked_to(nsml: Nsml, tmp_path: Path, home: Path) -> None:
    nsml("dataset", "push", "--copy", "D", str(make_dataset(tmp_path / "d")))
    inside = "train/train_data/AMD/Wide_AMD_1_R.jpg"
    copied = home / "datasets" / "D" / "training" / inside
    assert copied.read_bytes() == (tmp_path / "d" / inside).read_bytes()
    assert not copied.samefile(tmp_path / "d" / inside)


def test_show_says_how_the_dataset_is_scored(nsml: Nsml, tmp_path: Path) -> None:
    source = str(make_dataset(tmp_path / "d"))
    nsml("dataset", "push", "D", source, "--metric", "rmse", "--every", "1h")
    output = nsml("dataset", "show", "D").out
    assert (
        "the built-in scorer rmse" in output
        and "lowest score first, a submission every 1 hour" in output
        and source in output
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


def test_test_files_that_infer_will_not_get_are_counted(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    fed = nsml("dataset", "push", "D", str(source)).out
    (source / "test" / "test_data" / ".hidden").mkdir()
    for name in ("Thumbs.db", "a.heic", ".hidden/b.txt"):
        (source / "test" / "test_data" / name).write_text("")
    output = nsml("dataset", "push", "E", str(source)).out
    assert re.search(r"\d+ test files", output)[0] == re.search(r"\d+ test files", fed)[0]  # type: ignore[index]
    assert re.search("not read as photographs: (.heic 1, .txt 1|.txt 1, .heic 1)", output) and "not read" not in fed


def test_all_test_files_are_counted_where_a_loader_reads_them(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_data" / "a.heic").write_text("")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "data_loader.py").write_text("def data_loader(path):\n    return path\n")
    assert "not read" not in nsml("dataset", "push", "D", str(source)).out


def test_test_data_may_be_one_file(nsml: Nsml, tmp_path: Path) -> None:
    for side in ("train", "test"):
        (tmp_path / "d" / side).mkdir(parents=True)
        (tmp_path / "d" / side / f"{side}_data").write_text("a,b\n1,2\n")
        (tmp_path / "d" / side / f"{side}_label").write_text("1\n")
    assert "1 test file, hidden labels" in nsml("dataset", "push", "D", str(tmp_path / "d")).out


LABEL_MISTAKES = {
    "a header": ("folder,file,label\n" + GOOD_LABELS, "line 1, 'folder,file,label': it is a header; remove it"),
    "quotes": (GOOD_LABELS.replace("a.png", '"a.png"'), "line 1, 'test_data,\"a.png\",0': quotes stand around"),
    "another case": (GOOD_LABELS.replace("a.png", "A.PNG"), "it names no test photograph; write test_data,a.png"),
    "no ending": (
        GOOD_LABELS.replace("b.png", "b"),
        "line 2, 'test_data,b,1': it names no test photograph; write test_data,b",
    ),
    "no folder": ("a.png,0\nb.png,1\n", "line 1, 'a.png,0': it names no test photograph; write test_data,a.png"),
    "a line less": ("test_data,a.png,0\n", "has 1 lines for 2 test photographs, 'test_data,b.png' the first"),
    "a line more": (
        GOOD_LABELS + "test_data,c.png,1\n",
        "line 3, 'test_data,c.png,1': it names no test photograph; remove",
    ),
    "a line twice": (GOOD_LABELS + "test_data,a.png,1\n", "line 3, 'test_data,a.png,1': line 1 names the same file"),
    "class names": (GOOD_LABELS.replace(",1", ",AMD"), "'AMD' is no class; write classes as numbers (NORMAL 0, AMD 1"),
    "an ending that is not read": (
        GOOD_LABELS + "test_data,c.heic,1\n",
        "it names no test photograph; files with the ending .heic are not read; convert it to PNG or JPEG, or remove the line",
    ),
    "another ending": (GOOD_LABELS.replace("b.png", "b.jpg"), "it names no test photograph; write test_data,b.png"),
    "a path": (
        GOOD_LABELS.replace("test_data,", "test/test_data/"),
        "it names no test photograph; write test_data,a.png",
    ),
    "blanks behind commas": (GOOD_LABELS.replace(",", ", "), "it names no test photograph; write test_data,a.png"),
    "blanks": (GOOD_LABELS.replace(",", " "), "blanks stand between its fields; put commas"),
    "zero bytes": (GOOD_LABELS.replace("a", "a\0"), "test/test_label is not text; save it as UTF-8"),
    "a large number": (GOOD_LABELS.replace(",1", ",100000"), "'100000' is no class; write classes as numbers"),
    "a number of no class": (GOOD_LABELS.replace(",1", ",1.5"), "'1.5' is no class; write classes as numbers"),
    "floats": (GOOD_LABELS.replace(",0", ",0.0"), "line 1, 'test_data,a.png,0.0': '0.0' is no whole number; write 0"),
    "tabs": (GOOD_LABELS.replace(",", "\t"), "tabs stand between its fields; put commas"),
    "no label": (GOOD_LABELS.replace(",1", ","), "line 2, 'test_data,b.png,': it is not FOLDER,FILE,LABEL"),
    "nothing": ("\n", "is empty; write a FOLDER,FILE,LABEL line"),
    "answers alone, too few": ("0\n", "has 1 lines for 2 test photographs; write"),
}


# Of an organiser: it writes two values for each photograph.
TWO_VALUES = """
import os
from nsml import DATASET_PATH


def feed_infer(output_file, infer_func):
    names = os.listdir(os.path.join(DATASET_PATH, "test", "test_data"))
    with open(output_file, "w") as file:
        file.writelines(f"test_data,{name},0.5,{len(infer_func([]))}\\n" for name in names)
"""


def _push_two_photographs(
    nsml: Nsml, folder: Path, labels: bytes, names: Sequence[str] = ("a.png", "b.png"), dataset: str = "FUNDUS"
) -> Ended:
    for number, name in enumerate(names):
        path = folder / "test" / "test_data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / "photograph.png"), np.full((8, 8, 3), number, np.uint8))
        (folder / "photograph.png").rename(path)
    (folder / "test" / "test_label").write_bytes(labels)
    return nsml("dataset", "push", dataset, str(folder))


@pytest.mark.parametrize("mistake", LABEL_MISTAKES)
def test_labels_that_do_not_fit_are_named_at_push_with_the_first_wrong_line(
    nsml: Nsml, tmp_path: Path, mistake: str
) -> None:
    labels, message = LABEL_MISTAKES[mistake]
    pushed = _push_two_photographs(nsml, tmp_path / "d", labels.encode())
    assert pushed.status == 0 and "Dataset FUNDUS: " in pushed.out
    (line,) = pushed.err.splitlines()
    assert line.startswith("warning: test/test_label") and message in line


@pytest.mark.parametrize("labels", [GOOD_LABELS.encode(), GOOD_LABELS.encode("utf-16"), b"0\n1\n"])
def test_labels_that_fit_are_pushed_without_a_word(nsml: Nsml, tmp_path: Path, labels: bytes) -> None:
    assert _push_two_photographs(nsml, tmp_path / "d", labels).err == ""


def test_quotes_in_the_name_of_a_photograph_belong_to_it(nsml: Nsml, tmp_path: Path) -> None:
    name = '"q"_R.png'
    labels = f"test_data,{name},0\ntest_data,b.png,1\n"
    assert _push_two_photographs(nsml, tmp_path / "d", labels.encode(), (name, "b.png")).err == ""
    quoted = _push_two_photographs(nsml, tmp_path / "e", labels.replace(",1", ',"1"').encode(), (name, "b.png"), "E")
    assert "line 2, 'test_data,b.png,\"1\"': quotes stand around its fields" in quoted.err


def test_a_line_break_in_the_name_of_a_test_photograph_is_named_as_such(nsml: Nsml, tmp_path: Path) -> None:
    names = ("new\nline.png", "b.png")
    pushed = _push_two_photographs(nsml, tmp_path / "d", b"test_data,new\nline.png,0\ntest_data,b.png,1\n", names)
    (line,) = pushed.err.splitlines()
    assert (
        r"test/test_label: a line break is in the name of the test photograph test_data,new\nline.png; rename" in line
    )
    assert (
        _push_two_photographs(nsml, tmp_path / "e", b"test_data,new\\nline.png,0\ntest_data,b.png,1\n", names, "E").err
        == ""
    )


@pytest.mark.parametrize("labels", [GOOD_LABELS.encode("utf-32"), GOOD_LABELS.encode("utf-16") + b"\0", b"\0\1"])
def test_labels_that_are_no_text_are_called_by_their_place_in_the_dataset(
    nsml: Nsml, tmp_path: Path, labels: bytes
) -> None:
    pushed = _push_two_photographs(nsml, tmp_path / "d", labels)
    assert pushed.err == "warning: test/test_label is not text; save it as UTF-8, else no submit can be scored\n"


def test_a_dataset_without_a_record_is_called_so_and_can_be_put_aside(nsml: Nsml, dataset: str, home: Path) -> None:
    (home / "datasets" / dataset / "dataset.json").unlink()
    refused = nsml("dataset", "show", dataset)
    assert refused.status == 1 and len(refused.err.splitlines()) == 1
    assert (
        f"{home / 'datasets' / dataset} has no dataset.json that can be read here; 'nsml doctor --repair'"
        in refused.err
    )
    nsml("doctor", "--repair")
    assert "there is no dataset FUNDUS" in nsml("dataset", "show", dataset).err


def test_two_photographs_of_one_folder_and_file_name_are_named_as_such(nsml: Nsml, tmp_path: Path) -> None:
    labels = b"x,a.png,0\nx,a.png,1\n"
    pushed = _push_two_photographs(nsml, tmp_path / "d", labels, ("a/x/a.png", "b/x/a.png"))
    assert pushed.err.startswith("warning: two test photographs are called x,a.png (FOLDER,FILE); rename one, ")


@pytest.mark.parametrize("loader", [False, True])
def test_a_photograph_whose_name_holds_a_comma_is_scored(nsml: Nsml, tmp_path: Path, loader: bool) -> None:
    names = ("Wide_0,1_R.png", "b.png")
    labels = f"test_data,{names[0]},0\ntest_data,b.png,1\n".encode()
    if loader:
        (tmp_path / "d" / "evaluation").mkdir(parents=True)
        (tmp_path / "d" / "evaluation" / "data_loader.py").write_text(TWO_VALUES)
        (tmp_path / "d" / "evaluation" / "evaluation.py").write_text("print(7)")
    assert _push_two_photographs(nsml, tmp_path / "d", labels, names).err == ""
    start_and_wait(nsml, dataset="FUNDUS")
    submitted = nsml("submit", "FUNDUS/1", "best")
    assert submitted.out.startswith("Score: 7\n" if loader else "Score: 100.01"), submitted.err


def test_a_submit_on_wrong_labels_blames_the_labels_before_it_predicts(
    nsml: Nsml, tmp_path: Path, project: Path
) -> None:
    _push_two_photographs(nsml, tmp_path / "d", b"test_data,a.png,0\n")
    start_and_wait(nsml, dataset="FUNDUS")
    refused = nsml("submit", "FUNDUS/1", "best")
    assert refused.status == 1 and "starting the program" not in refused.err
    assert "the labels of dataset FUNDUS are wrong" in refused.err and "infer" not in refused.err
    assert nsml("submit", "-t", "FUNDUS/1", "best").status == 0


def test_labels_and_photographs_meet_in_any_normalisation_of_their_names(
    nsml: Nsml, tmp_path: Path, project: Path
) -> None:
    apart, together = (unicodedata.normalize(form, "환자.png") for form in ("NFD", "NFC"))
    labels = f"test_data,{together},0\ntest_data,b.png,1\n".encode()
    assert _push_two_photographs(nsml, tmp_path / "d", labels, (apart, "b.png")).err == ""
    start_and_wait(nsml, dataset="FUNDUS")
    assert "Score: 100.01" in nsml("submit", "FUNDUS/1", "best").out


@pytest.mark.parametrize(
    "name", ["test_label.csv", "labels.txt", "y_test.npy", "test_data/Ground Truth.json", "GT/a.txt"]
)
def test_a_file_called_as_labels_are_is_never_shown_to_a_session(nsml: Nsml, tmp_path: Path, name: str) -> None:
    source = tmp_path / "d"
    for path in (f"test/{name}", "test/test_data/a.txt", "train/labels.csv"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text("1\n")
    pushed = nsml("dataset", "push", "D", str(source))
    hidden = f"test/{name.split('/a.')[0]}"
    assert f"hidden from sessions, as named like labels: {hidden};" in pushed.out
    assert (
        pushed.err
        == f"warning: {hidden} is named like labels, but not read; to score with it, name it test/test_label\n"
    )
    shown = open_home().datasets / "D"
    assert [p.name for p in (shown / "submission").rglob("*") if p.is_file()] == ["a.txt"]
    assert (shown / "training" / "train" / "labels.csv").exists()


def test_push_counts_what_training_will_read(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._a.jpg", "notes.txt", "scan.GIFF"):
        (source / "train" / "train_data" / "AMD" / name).write_text("")
    output = nsml("dataset", "push", "D", str(source)).out
    assert "8 training files (0 NORMAL: 2, 1 AMD: 2, 2 RVO: 2, 3 DMR: 2)" in output
    assert "not read as photographs: .txt 1, .giff 1" in output or "not read as photographs: .giff 1, .txt 1" in output


def test_a_home_whose_disk_has_no_links_takes_copies(nsml: Nsml, tmp_path: Path) -> None:
    source, site = make_dataset(tmp_path / "d"), tmp_path / "site"
    site.mkdir()
    refuse = "import os\ndef refuse(*_, **__): raise PermissionError(1, 'Operation not permitted')\n"
    (site / "sitecustomize.py").write_text(refuse + "os.link = os.symlink = refuse\n")
    refused = nsml("dataset", "push", "D", str(source), PYTHONPATH=str(site))
    said = "nsml: the disk of NSML_HOME has no links (Operation not permitted); give --copy\n"
    assert (refused.status, refused.err) == (1, said)
    assert nsml("dataset", "push", "--copy", "D", str(source), PYTHONPATH=str(site)).status == 0

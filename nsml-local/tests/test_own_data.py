"""Datasets as people have them: classes of any name, labels in a table, and what push and check say about them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait, write_photograph

from nsml.errors import install
from nsml.scoring.dataset_check import dataset_problems
from nsml.scoring.scorer import score
from nsml.store.datasets import push_dataset
from nsml.store.home import open_home

GRADES = ("none", "mild", "severe")


def make_eyes(folder: Path, classes: tuple[str, ...] = GRADES, test: tuple[int, ...] = (0, 1, 2)) -> Path:
    """Two photographs of each class; the test photograph of class n has a brightness that the usual program answers n to."""
    for number, name in enumerate(classes):
        for patient in (1, 2):
            write_photograph(
                folder / "train" / "train_data" / name / f"{number}{patient}_left.png", 10 * number + patient
            )
    for number, label in enumerate(test):
        write_photograph(folder / "test" / "test_data" / f"{number}.png", 100 + label)
    (folder / "test" / "test_label").write_text("".join(f"test_data,{n}.png,{label}\n" for n, label in enumerate(test)))
    return folder


def make_flat(folder: Path, table: str, name: str = "labels.csv") -> Path:
    """Four photographs p0 to p3 in train/train_data itself, and a table."""
    for number in range(4):
        write_photograph(folder / "train" / "train_data" / f"p{number}.png", number)
    (folder / "train" / name).write_text(table)
    return folder


def classes_of(name: str) -> list[str]:
    return (open_home().datasets / name / "training" / "train" / "classes.txt").read_text().splitlines()


def test_folders_of_any_name_are_classes_by_name_and_programs_find_them_in_a_file(nsml: Nsml, tmp_path: Path) -> None:
    pushed = nsml("dataset", "push", "EYES", str(make_eyes(tmp_path / "d")))
    assert "6 training files (0 mild: 2, 1 none: 2, 2 severe: 2)" in pushed.out and pushed.err == ""
    assert classes_of("EYES") == ["mild", "none", "severe"]
    assert "Label numbers: 0 mild, 1 none, 2 severe\n" in nsml("dataset", "show", "EYES").out
    (row,) = json.loads(nsml("dataset", "ls", "-j").out)
    assert row["classes"] == ["mild", "none", "severe"] and row["train"] == {"mild": 2, "none": 2, "severe": 2}
    assert "0 mild: 2, 1 none: 2, 2 severe: 2" in nsml("dataset", "ls").out


def test_push_takes_the_order_of_the_classes_and_changes_no_file_of_the_organiser(nsml: Nsml, tmp_path: Path) -> None:
    source = make_eyes(tmp_path / "d")
    (source / "train" / "classes.txt").write_text("severe\nmild\nnone\n")
    nsml("dataset", "push", "FILE", str(source))
    assert classes_of("FILE") == ["severe", "mild", "none"]
    pushed = nsml("dataset", "push", "GIVEN", str(source), "--classes", "none,mild,severe,worst")
    assert "(0 none: 2, 1 mild: 2, 2 severe: 2)" in pushed.out
    assert classes_of("GIVEN") == ["none", "mild", "severe", "worst"]
    assert (source / "train" / "classes.txt").read_text() == "severe\nmild\nnone\n"


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        ("none", "--classes: 'none': 1 class is named; name 2 to 1000"),
        ("none,None", "--classes: 'none,None': class NONE is named twice"),
        ("a,b", "--classes: no training photograph is of a, b; the classes are mild, none, severe"),
    ],
)
def test_an_order_that_is_none_is_refused(nsml: Nsml, tmp_path: Path, classes: str, problem: str) -> None:
    refused = nsml("dataset", "push", "D", str(make_eyes(tmp_path / "d")), "--classes", classes)
    assert refused.status == 2 and problem in refused.err and len(refused.err.splitlines()) == 1


def test_a_class_that_the_order_leaves_out_is_counted(nsml: Nsml, tmp_path: Path) -> None:
    pushed = nsml("dataset", "push", "D", str(make_eyes(tmp_path / "d")), "--classes", "none,mild")
    assert "(0 none: 2, 1 mild: 2)" in pushed.out
    assert "warning: train/train_data/severe: left out with its 2 photographs, as it is not one of" in pushed.err
    assert "warning: test/test_label: 2, of test_data,2.png, is no class; the classes are none 0, mild 1" in pushed.err


def test_submit_names_classes_in_table_dry_run_and_remarks(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    source = make_eyes(tmp_path / "d", test=(0, 1, 2, 1, 0, 2))
    nsml("dataset", "push", "EYES", str(source), "--classes", "none,mild,severe")
    name = start_and_wait(nsml, dataset="EYES")
    assert "test_data,2.png,2 (severe)" in nsml("submit", "-t", name, "best").out
    submitted = nsml("submit", name, "best", "-v")
    assert "Score: 100.01" in submitted.out and "absent" not in submitted.err
    (project / "main.py").write_text((project / "main.py").read_text().replace("int(image.mean()) % 4", "1"))
    collapsed = start_and_wait(nsml, dataset="EYES")
    assert "are of one class, 1 (mild)" in nsml("submit", collapsed, "best").err
    assert "all predictions are 1 (mild)" in nsml("dataset", "board", "EYES", "--mine").out


def test_a_prediction_beyond_the_classes_is_refused(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    nsml("dataset", "push", "EYES", str(make_eyes(tmp_path / "d")))
    (project / "main.py").write_text((project / "main.py").read_text().replace("int(image.mean()) % 4", "3"))
    name = start_and_wait(nsml, dataset="EYES")
    assert "infer returned 3 for image 0, outside 0 .. 2" in nsml("submit", name, "best").err


def test_infer_names_the_class_of_a_photograph(nsml: Nsml, trained: str, tmp_path: Path) -> None:
    write_photograph(tmp_path / "eye.png", 101)
    import sys

    from helpers import run_command

    command = f"echo {tmp_path / 'eye.png'} | {sys.executable} -m nsml infer {trained} best"
    ended = run_command(["bash", "-c", command], tmp_path)
    assert ended.out == "[1]\tAMD\n", ended.err


def test_a_table_gives_the_classes_of_photographs_that_lie_flat(nsml: Nsml, tmp_path: Path) -> None:
    source = make_flat(tmp_path / "d", "id_code,diagnosis\np0,0\np1,4\np2,0\np9,1\n")
    pushed = nsml("dataset", "push", "D", str(source))
    assert "3 training files (0: 2, 4: 1)" in pushed.out
    assert pushed.err.splitlines() == [
        "warning: 1 line of labels.csv is left out: no photograph has that name (p9)",
        "warning: 1 photograph is left out, without a label in labels.csv (p3.png)",
    ]
    assert classes_of("D") == ["0", "1", "2", "3", "4"]


def _no_table(folder: Path) -> None:
    make_flat(folder, "file,label\n")
    (folder / "train" / "labels.csv").unlink()


def _move(table: str) -> Callable[[Path], object]:
    """A dataset whose table of labels is the file `table`."""

    def make(folder: Path) -> None:
        make_flat(folder, "file,label\n" + "".join(f"p{number},{'AB'[number % 2]}\n" for number in range(4)))
        (folder / "train" / "labels.csv").rename(folder / table)

    return make


def _misspelled(folder: Path) -> None:
    make_eyes(folder, ("none", "mild"), test=(0, 1))
    for patient in range(3, 8):
        write_photograph(folder / "train" / "train_data" / "mild" / f"1{patient}_left.png", patient)
    write_photograph(folder / "train" / "train_data" / "midl" / "9_left.png", 90)


def _one_class(folder: Path) -> None:
    make_flat(folder, "file,label\n" + "".join(f"p{number},A\n" for number in range(4)))


def _no_header(folder: Path) -> None:
    make_flat(folder, "p0.png,A\np1.png,B\n")


def _broken(folder: Path) -> None:
    make_eyes(folder)
    data = folder / "train" / "train_data" / "mild"
    whole = (data / "11_left.png").read_bytes()
    (data / "11_left.png").write_bytes(whole[:-20])
    (data / "12_left.png").write_bytes(b"")
    (data / "13_left.jpg").write_text("<html>Not found</html>")
    (folder / "test" / "test_data" / "0.png").write_bytes(b"")


def _as_folder(label: Path) -> None:
    label.unlink()
    label.mkdir()
    (label / "a.txt").write_text("0")


def _copies(folder: Path) -> None:
    make_eyes(folder)
    copied = folder / "train" / "train_data" / "none" / "01_left.png"
    copied.write_bytes((folder / "test" / "test_data" / "1.png").read_bytes())


def _packed(folder: Path) -> None:
    make_eyes(folder)
    shutil.rmtree(folder / "train" / "train_data")
    (folder / "train" / "train_data.tar.gz").write_bytes(b"packed")
    (folder / "train" / "labels.csv").write_text("file,label\n")


def _shift(data: Path) -> None:
    """The folders of `data` lie one level higher."""
    for path in data.iterdir():
        path.rename(data.parent / path.name)
    data.rmdir()


def _as(names: Callable[[int, int], str], count: int = 8) -> Callable[[Path], object]:
    """A dataset whose test photograph n, of label n % 2, lies at the path that `names` gives for the two, below test/."""

    def make(folder: Path) -> None:
        make_eyes(folder, test=tuple(number % 2 for number in range(count)))
        lines = []
        for number in range(count):
            path = folder / "test" / names(number, number % 2)
            path.parent.mkdir(exist_ok=True, parents=True)
            (folder / "test" / "test_data" / f"{number}.png").rename(path)
            lines.append(f"{path.parent.name},{path.name},{number % 2}\n")
        (folder / "test" / "test_label").write_text("".join(lines))

    return make


# No word of theirs tells a label: a hash, a number, both eyes of a patient, a folder or the initials of each patient.
NAMES: dict[str, Callable[[int, int], str]] = {
    "hashes": lambda number, label: f"test_data/{hashlib.sha256(b'%d' % number).hexdigest()}.png",
    "numbers": lambda number, label: f"test_data/img_{number:03}.png",
    "eyes": lambda number, label: f"test_data/{number // 4}_{'left' if number % 4 < 2 else 'right'}_{number}.png",
    "patients": lambda number, label: f"test_data/{number // 6}{label}/{number}.png",
    "few patients": lambda number, label: f"test_data/{number // 20}{label}/{number}.png",
    "initials": lambda number, label: f"test_data/{('KJH', 'LSY', 'PMJ')[number // 20]}{'ab'[label]}_{number}.png",
}

PROBLEMS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "flat without a table": (
        _no_table,
        ["train/train_data: none of 4 photographs has a class (p0.png, p1.png, p2.png, ...); put"],
    ),
    "a table under another name": (
        _move("train/label.csv"),
        [
            "train/train_data: none of 4",
            "train/label.csv is not read; if it holds the labels of the training, name it train/",
        ],
    ),
    "a table at another place": (
        _move("labels.csv"),
        [
            "train/train_data: none of 4",
            "labels.csv is not read; if it holds the labels of the training, name it train/",
        ],
    ),
    "any other table, where nothing has a class": (
        _move("train/train_data/who.xlsx"),
        [
            "train/train_data: none of 4",
            "train/train_data/who.xlsx is not read; if it holds the labels of the training, save",
        ],
    ),
    "a table of labels beside class folders": (
        lambda folder: make_eyes(folder) and (folder / "trainLabels.csv").write_text("image,level\n"),
        ["trainLabels.csv is not read; if it holds the labels of the training, name it train/labels.csv"],
    ),
    "a typing error in a class": (
        _misspelled,
        [
            "class midl has 1 photograph, mild has 7: if that is a typing error, rename midl; if not, name all classes in train/"
        ],
    ),
    "classes by number in the class file": (
        lambda folder: make_eyes(folder) and (folder / "train" / "classes.txt").write_text("0\n1\n2\n"),
        [
            "train/classes.txt: none of its lines (0, 1, 2) is a class of the photographs (mild, none, severe); write one"
        ],
    ),
    "a table of one class": (_one_class, ["train/train_data: all photographs are of A; training needs two classes"]),
    "a table without a header": (
        _no_header,
        ["train/labels.csv: no column of its first line 'p0.png,A' names the files; begin"],
    ),
    "photographs that are none": (
        _broken,
        [
            "3 training photographs are unreadable and left out: 11_left.png is truncated, 12_left.png is empty, 13_left.jpg is not",
            "1 test photograph is unreadable, so infer gets a black image: 0.png is empty",
        ],
    ),
    "class folders in the test set": (
        _as(lambda number, label: f"test_data/{'BA'[label]}/{number}.png"),
        [
            "the paths of 8 of 8 test photographs tell their labels, such as test_data/A/1.png; rename them to test_data/000"
        ],
    ),
    "class codes in the names of the test set": (
        _as(lambda number, label: f"test_data/Wide_{('NOR', 'AMD')[label]}{number}_R.png"),
        ["the paths of 8 of 8 test photographs tell their labels, such as test_data/Wide_AMD1_R.png; rename them"],
    ),
    "labels without names that a person would count in another order": (
        lambda folder: make_eyes(folder, test=(0, 1) * 6) and (folder / "test" / "test_label").write_text("0\n1\n" * 6),
        [
            "test/test_label: labels without names are taken in the order of the sorted paths, 1.png, 10.png, 11.png; write"
        ],
    ),
    "an archive in place of the training photographs": (
        _packed,
        ["train/ holds no photographs, but archives, which are not read; unpack them: train_data.tar.gz"],
    ),
    "class folders beside train_data": (
        lambda folder: _shift(make_eyes(folder) / "train" / "train_data"),
        ["train/ holds mild, none, severe, but photographs are read from train/train_data/<CLASS>/; move"],
    ),
    "photographs without a class and without train_data": (
        lambda folder: write_photograph(folder / "train" / "1.png", 1),
        ["train/ holds 1.png, but photographs are read from train/train_data/<CLASS>/"],
    ),
    "a class folder without a photograph": (
        lambda folder: (make_eyes(folder) / "train" / "train_data" / "RVO").mkdir(),
        ["1 class folder is without a photograph: train/train_data/RVO; put photographs there, or remove"],
    ),
    "labels by another name": (
        lambda folder: make_eyes(folder) and (folder / "test" / "test_label").rename(folder / "test" / "labels.csv"),
        ["test/labels.csv is named like labels, but not read; to score with it, name it test/test_label"],
    ),
    "a folder of labels": (
        lambda folder: make_eyes(folder) and _as_folder(folder / "test" / "test_label"),
        ["test/test_label is a folder, which only an evaluation/evaluation.py can read; write it as a file"],
    ),
    "labels in CP949": (
        lambda folder: (
            make_eyes(folder) and (folder / "test" / "test_label").write_bytes("test_data,환자.png,0\n".encode("cp949"))
        ),
        ["test/test_label, line 1, 'test_data,"],
    ),
    "test photographs from training": (
        _copies,
        [
            "1 of 3 test photographs are training photographs too, so their score says nothing (1.png is none/01_left.png); remove"
        ],
    ),
}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_push_warns_of_a_problem_that_check_finds_too_with_status_1(nsml: Nsml, tmp_path: Path, kind: str) -> None:
    make, lines = PROBLEMS[kind]
    make(tmp_path / "d")
    pushed = nsml("dataset", "push", "D", str(tmp_path / "d"))
    assert pushed.status == 0
    for problem, line in zip(pushed.err.splitlines(), lines, strict=True):
        assert problem.startswith(f"warning: {line}")
    nsml("dataset", "rm", "-f", "D")
    checked = nsml("dataset", "check", str(tmp_path / "d"))
    assert checked.status == 1 and checked.out == pushed.out.replace("Dataset D:", f"Dataset {tmp_path / 'd'}:")
    assert checked.err.replace("problem: ", "warning: ").startswith(pushed.err)
    assert json.loads(nsml("dataset", "ls", "-j").out) == []


@pytest.mark.parametrize("wrong", [".", "SET/train", "SET/train/train_data", "SET/test"])
def test_a_folder_too_high_or_too_low_is_a_problem_that_names_the_right_one(
    nsml: Nsml, tmp_path: Path, wrong: str
) -> None:
    right = make_dataset(tmp_path / "d" / "SET")
    line = f"there is no folder train/; name the folder that holds train/ and test/: {right}\n"
    checked = nsml("dataset", "check", str(tmp_path / "d" / wrong))
    assert checked.status == 1 and f"problem: {line}" in checked.err
    assert f"warning: {line}" in nsml("dataset", "push", "D", str(tmp_path / "d" / wrong)).err


def test_the_parent_of_several_datasets_is_told_from_them(nsml: Nsml, tmp_path: Path) -> None:
    for name in ("A", "B"):
        make_eyes(tmp_path / "d" / name)
    assert f"train/ and test/: {tmp_path}/d/A, {tmp_path}/d/B\n" in nsml("dataset", "check", str(tmp_path / "d")).err


def test_an_archive_alone_is_to_be_unpacked_and_text_needs_no_train(nsml: Nsml, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "EYES.zip").write_bytes(b"PK")
    assert "there is no folder train/; unpack EYES.zip, and name" in nsml("dataset", "check", str(tmp_path / "d")).err
    (tmp_path / "d" / "numbers.txt").write_text("1 0\n")
    assert nsml("dataset", "check", str(tmp_path / "d")).err == ""


@pytest.mark.parametrize("own", ["data_loader.py", "evaluation.py"])
def test_the_training_data_of_another_task_may_lie_anywhere_where_the_dataset_brings_its_own_programs(
    nsml: Nsml, tmp_path: Path, own: str
) -> None:
    source = make_dataset(tmp_path / "source")
    shutil.move(source / "train" / "train_data", source / "train" / "images")
    shutil.copytree(source / "train" / "images", source / "train" / "masks")
    (source / "evaluation").mkdir()
    assert nsml("dataset", "check", str(source)).status == 1
    (source / "evaluation" / own).write_text("def feed_infer(output_file, infer_func): ...\n")
    checked = nsml("dataset", "check", str(source))
    assert (checked.status, checked.err) == (0, "")
    assert checked.out.splitlines()[0].endswith("; programs have to know that train/ holds images, masks")


def test_push_counts_damaged_dicom_files_of_training_and_test(nsml: Nsml, tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    source = make_dataset(tmp_path / "source")
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 120, 160, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    pixels, whole = bytes(120 * 160 * 2), {}
    for kind, syntax, content in (
        ("plain", pydicom.uid.ExplicitVRLittleEndian, pixels),
        ("jpeg", pydicom.uid.JPEG2000Lossless, pydicom.encaps.encapsulate([pixels])),
    ):
        data.file_meta.TransferSyntaxUID, data.PixelData = syntax, content
        data["PixelData"].VR = "OW" if kind == "plain" else "OB"
        written = io.BytesIO()
        data.save_as(written, enforce_file_format=True)
        whole[kind] = written.getvalue()
    for folder in (source / "train" / "train_data" / "AMD", source / "test" / "test_data"):
        for kind, content in whole.items():
            (folder / f"{kind}_whole.dcm").write_bytes(content)
            (folder / f"{kind}_cut.dcm").write_bytes(content[:-100])
        (folder / "no_header.dcm").write_bytes(whole["plain"][:150] + b"\xff" * 400)
    (source / "test" / "test_label").unlink()
    pushed = nsml("dataset", "push", "EYES", str(source))
    damaged = "jpeg_cut.dcm is truncated, no_header.dcm is a DICOM file that cannot be read, plain_cut.dcm is truncated"
    assert f"warning: 3 training photographs are unreadable and left out: {damaged}\n" in pushed.err
    assert f"warning: 3 test photographs are unreadable, so infer gets a black image: {damaged}\n" in pushed.err
    assert "1 AMD: 4, " in pushed.out


def test_a_good_dataset_is_checked_with_status_0_and_nothing_is_registered(nsml: Nsml, tmp_path: Path) -> None:
    checked = nsml("dataset", "check", str(make_dataset(tmp_path / "d")))
    assert checked.status == 0 and checked.out.endswith("No problems\n") and checked.err == ""
    assert nsml("dataset", "check", str(tmp_path / "gone")).status == 2
    assert json.loads(nsml("dataset", "ls", "-j").out) == []


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_tell_no_label_are_no_problem(nsml: Nsml, tmp_path: Path, kind: str) -> None:
    _as(NAMES[kind], 60)(tmp_path / "d")
    assert nsml("dataset", "check", str(tmp_path / "d")).err == ""


def test_a_scorer_that_lacks_its_library_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = push_dataset(open_home(), "D", make_eyes(tmp_path / "d"), rules={"metric": "auroc"})
    assert dataset_problems(dataset) == []
    monkeypatch.setattr("nsml.scoring.metrics.find_spec", lambda name: None)
    (problem,) = dataset_problems(dataset)
    assert (
        problem
        == f"scikit-learn is needed for the built-in scorer auroc; {install('scorers')}, else no submit can be scored"
    )


def test_classes_of_any_folder_name_are_scored(tmp_path: Path) -> None:
    source = make_eyes(tmp_path / "d", ("-o", "y", "z"))
    inside = source / "train" / "train_data"
    (inside / "y").rename(inside / os.fsdecode(b"\xff\xfeA"))
    dataset = push_dataset(open_home(), "D", source)
    details = score(dataset, source / "test" / "test_label").details
    assert [line.split()[0] for line in details.splitlines()[1:4]] == ["-o", "z", "\\udcff\\udcfeA"]


def test_a_dataset_that_an_older_version_pushed_is_still_scored(nsml: Nsml, trained: str, home: Path) -> None:
    from nsml.store.files import read_json, write_json

    record = home / "datasets" / "FUNDUS" / "dataset.json"
    write_json(record, {name: value for name, value in read_json(record).items() if name not in ("classes", "sum")})
    assert "Score: 100.01" in nsml("submit", trained, "best").out
    assert "test_data,000.png,0\n" in nsml("submit", "-t", trained, "best").out

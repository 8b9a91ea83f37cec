"""Classes and their label numbers, from folders, a table or a class file."""

from __future__ import annotations

import inspect
import os
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep import labels
from dataprep.catalog import CatalogError, Sample, read_catalog, read_chosen
from dataprep.labels import LabelError, class_key, in_order, parse_classes, read_class_file

_CONTENT = cv2.imencode(".png", np.full((12, 16, 3), 90, np.uint8))[1].tobytes()


def draw(root: Path, *names: str) -> Path:
    """Photographs below train/train_data, which is returned."""
    data = root / "train" / "train_data"
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(_CONTENT)
    return data


def write_table(root: Path, *lines: str, name: str = "labels.csv", encoding: str = "utf-8") -> None:
    (root / "train" / name).write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))


def found(data: Path) -> dict[str, tuple[str, str, str]]:
    """Class, patient and eye by file name."""
    catalog = read_catalog(data)
    return {each.path.name: (catalog.classes[each.label], each.patient, each.eye) for each in catalog.samples}


@pytest.mark.parametrize(
    ("folders", "order"),
    [
        (["AMD", "NORMAL"], ["NORMAL", "AMD", "RVO", "DMR"]),
        (["nor", "DMR"], ["NORMAL", "AMD", "RVO", "DMR"]),
        (["grade10", "grade9", "Grade1"], ["Grade1", "grade9", "grade10"]),
        (["0", "4", "2"], ["0", "1", "2", "3", "4"]),
        (["00", "01"], ["0", "1"]),
        (["정상", "녹내장"], ["녹내장", "정상"]),
        (["AMD", "GLAUCOMA", "NORMAL"], ["AMD", "GLAUCOMA", "NORMAL"]),
    ],
)
def test_label_numbers_follow_the_competition_numbers_or_names(folders: list[str], order: list[str]) -> None:
    assert list(in_order(folders)) == order == list(in_order(reversed(folders)))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), min_size=1, max_size=12))
def test_every_folder_is_of_one_class_whatever_its_name(names: list[str]) -> None:
    order = [class_key(name) for name in in_order(names)]
    assert {class_key(name) for name in names} <= set(order) and len(set(order)) == len(order)


def test_a_class_file_gives_the_label_numbers_and_may_name_a_class_without_photographs(tmp_path: Path) -> None:
    data = draw(tmp_path, "B/1_R.png", "A/2_R.png")
    (tmp_path / "train" / "classes.txt").write_bytes("\ufeffB\r\n\r\nC\r\nA\r\n".encode())
    catalog = read_catalog(data)
    assert catalog.classes == ("B", "C", "A") and catalog.warnings == ()
    assert [(each.path.parent.name, each.label) for each in catalog.samples] == [("A", 2), ("B", 0)]


def test_a_label_of_several_lines_is_one_class_in_the_class_file_too(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    write_table(tmp_path, "file,label", '1_R,"dry \n AMD"', "2_R,\x1b[31mnone")
    names = read_catalog(data).classes
    assert names == ("dry AMD", "[31mnone")
    (tmp_path / "train" / "classes.txt").write_text("\n".join(names))
    assert read_catalog(data).classes == names


def test_a_folder_whose_name_is_in_cp949_is_the_class_of_that_name(tmp_path: Path) -> None:
    data = draw(tmp_path, "AMD/1_R.png")
    folder = os.fsencode(data) + b"/" + "정상".encode("cp949")
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/2_R.png")).write_bytes(_CONTENT)
    assert read_catalog(data).classes == ("AMD", "정상")
    (tmp_path / "train" / "classes.txt").write_text("정상\nAMD\n", encoding="utf-8")
    assert [each.label for each in read_catalog(data).samples] == [1, 0]


def test_names_that_are_merged_into_one_class_are_said_with_their_counts(tmp_path: Path) -> None:
    data = draw(tmp_path, "AMD/1_R.png", "AMD /2_R.png", "amd/3_R.png", "amd/4_R.png", "NORMAL/5_R.png")
    (warning,) = read_catalog(data).warnings
    assert warning.startswith(
        "1 class is spelled in several ways, each counted as one: 'AMD' (1) and 'AMD ' (1) and 'amd' (2)"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [("A\n", "1 class is named"), ("", "0 classes are named"), ("A\nB\na\n", "class A is named twice")],
)
def test_a_class_file_that_is_none_is_refused_by_its_name(tmp_path: Path, content: str, problem: str) -> None:
    data = draw(tmp_path, "A/1_R.png", "B/2_R.png")
    (tmp_path / "train" / "classes.txt").write_text(content)
    with pytest.raises(CatalogError, match=f"classes.txt: {problem}"):
        read_catalog(data)


def test_chosen_classes_are_labelled_in_the_order_chosen_and_know_their_numbers(tmp_path: Path) -> None:
    data = draw(tmp_path, "NORMAL/1_R.png", "AMD/2_R.png", "DMR/3_R.png", "DMR/4_R.png")
    catalog = read_chosen(data, ("dmr", "NORMAL"))
    assert (catalog.classes, catalog.numbers) == (("DMR", "NORMAL"), (3, 0))
    assert [(each.path.parent.name, each.label) for each in catalog.samples] == [("DMR", 0), ("DMR", 0), ("NORMAL", 1)]
    assert catalog.warnings == ("1 photograph is left out, as the classes were chosen: AMD 1",)


def test_without_a_choice_the_classes_that_have_photographs_are_there(tmp_path: Path) -> None:
    catalog = read_chosen(draw(tmp_path, "NORMAL/1_R.png", "DMR/3_R.png"), None)
    assert (catalog.classes, catalog.numbers) == (("NORMAL", "DMR"), (0, 3))
    assert [each.label for each in catalog.samples] == [1, 0]


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [(("A", "X"), "there is no class X, only A, B, C"), (("A", "C"), "no photographs of C, only of A")],
)
def test_a_chosen_class_that_is_not_there_is_named(tmp_path: Path, chosen: tuple[str, ...], problem: str) -> None:
    data = draw(tmp_path, "A/1_R.png", "B/2_R.png")
    (tmp_path / "train" / "classes.txt").write_text("A\nB\nC\n")
    (data / "A" / "3_R.png").write_bytes(_CONTENT)
    with pytest.raises(CatalogError, match=problem):
        read_chosen(data, (*chosen, "B") if "X" not in chosen else chosen)


def test_classes_beside_some_of_the_competition_are_numbered_by_name_with_a_warning(tmp_path: Path) -> None:
    (warning,) = read_catalog(draw(tmp_path, "NORMAL/1_R.png", "GLAUCOMA/2_R.png")).warnings
    assert warning.startswith("only NORMAL of GLAUCOMA, NORMAL are classes of the competition")


def test_a_thousand_classes_are_read_and_more_are_refused(tmp_path: Path) -> None:
    data = draw(tmp_path, *(f"species {number}/1_R.png" for number in range(1000)))
    assert read_catalog(data).classes[10] == "species 10"
    draw(tmp_path, "species 1000/1_R.png")
    with pytest.raises(CatalogError, match="1001 different labels, the limit is 1000"):
        read_catalog(data)


def test_names_of_classes_with_a_comma_stand_in_quotes() -> None:
    assert parse_classes('A, "B, late" ,C') == ("A", "B, late", "C")


TABLES = {
    "EyePACS": (
        ["10_left.jpeg", "10_right.jpeg"],
        ["image,level", "10_left,0", "10_right,3"],
        ["0", "3"],
        ["10", "10"],
    ),
    "APTOS": (["000c14.png", "001639.png"], ["id_code,diagnosis", "000c14,2", "001639,4"], ["2", "4"], None),
    "ODIR": (
        ["0_right.jpg", "1_left.jpg"],
        ["ID,Patient Age,labels,target,filename", '0,69,"[\'C\']","[0, 1]",0_right.jpg', "1,5,['N'],[1],1_left.jpg"],
        ["C", "N"],
        ["0", "1"],
    ),
    "Messidor": (
        ["im1_OD.tif", "im1_OS.tif"],
        ["Image name;Retinopathy grade", "im1_OD.tif;1", "im1_OS.tif;2"],
        ["1", "2"],
        ["im1", "im1"],
    ),
    "columns in any order": (
        ["a.png", "b.png"],
        ["eye\tdiagnosis\tpatient_id\tfile", "OD\tDry AMD\t7\ta.png", "OS\tNormal\t7\tb.png"],
        ["Dry AMD", "Normal"],
        ["7", "7"],
    ),
    "folders, capitals, no endings": (
        ["site 1/A.PNG", "site 2/b.png"],
        ["path|class|subject", "train_data\\site 1\\a.png|x|1", "B|y|2"],
        ["x", "y"],
        ["1", "2"],
    ),
    "an id is the file without another": (["a.png", "b.png"], ["id,label", "a,x", "b,y"], ["x", "y"], None),
    "numbers as floats": (["a.png", "b.png"], ["file,label", "a.png,0.0", "b.png,1.0"], ["0", "1"], None),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_gives_class_and_patient(tmp_path: Path, kind: str) -> None:
    names, lines, classes, patients = TABLES[kind]
    data = draw(tmp_path, *names)
    write_table(tmp_path, *lines)
    catalog = read_catalog(data)
    assert [catalog.classes[each.label] for each in catalog.samples] == classes
    if patients:
        assert [each.patient for each in catalog.samples] == patients
    assert not [warning for warning in catalog.warnings if "left out" in warning]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "train_label"])
def test_a_table_is_read_in_the_encodings_that_excel_writes(tmp_path: Path, encoding: str, name: str) -> None:
    names = [unicodedata.normalize("NFD", f"환자{number}_OD.png") for number in (1, 2)]
    data = draw(tmp_path, *names)
    mark = "\t" if name == "labels.tsv" else ","
    lines = [mark.join(line) for line in (("파일", "라벨"), ("환자1_OD.png", "정상"), ("환자2_OD.png", "녹내장"))]
    write_table(tmp_path, *lines, name=name, encoding=encoding)
    assert [value[0] for value in found(data).values()] == ["정상", "녹내장"]


def test_names_in_a_class_file_stand_for_the_numbers_of_a_table(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png", "3_R.png")
    write_table(tmp_path, "file,label", "1_R,0", "2_R,2", "3_R,7")
    (tmp_path / "train" / "classes.txt").write_text("none\nmild\nsevere\n")
    assert [value[0] for value in found(data).values()] == ["none", "severe"]
    (warning,) = read_catalog(data).warnings
    assert warning.startswith("label '7' of labels.csv: left out with its 1 photograph")


def test_a_second_column_of_labels_is_named_if_it_says_something_else(tmp_path: Path) -> None:
    data = draw(tmp_path, *(f"{number}_R.png" for number in range(4)))
    write_table(tmp_path, "이미지,grade,diagnosis", "0_R,0,none", "1_R,0,none", "2_R,1,mild", "3_R,1,mild")
    assert [value[0] for value in found(data).values()] == ["none", "none", "mild", "mild"]
    assert read_catalog(data).warnings == ()
    write_table(tmp_path, "file,label,grade", "0_R,a,0", "1_R,a,1", "2_R,b,2", "3_R,b,2")
    (warning,) = read_catalog(data).warnings
    assert warning == "labels.csv: column label counts; grade says something else: rename the one that is no label"


def test_labels_and_photographs_without_each_other_are_counted_and_named(tmp_path: Path) -> None:
    data = draw(tmp_path, *(f"{number}_R.png" for number in range(6)))
    lines = ["0_R,x", "1_R,y", "2_R,", "8_R,x", "9_R,x", "0_R,y", ",x"]
    write_table(tmp_path, "file,label", *lines)
    warnings = read_catalog(data).warnings
    assert warnings == (
        "3 lines of labels.csv are left out: no photograph has that name (8_R, 9_R, '')",
        "1 line of labels.csv is left out: a line with another label has that name (0_R)",
        "4 photographs are left out, without a label in labels.csv (2_R.png, 3_R.png, 4_R.png, ...)",
    )


def test_a_table_may_give_only_the_patients_of_class_folders(tmp_path: Path) -> None:
    data = draw(tmp_path, "A/a.png", "A/b.png", "B/c.png")
    write_table(tmp_path, "file,patient,eye,camera", "A/a.png,P7,os,Optos", "b,p007,OD,")
    assert read_catalog(data).samples == (
        Sample(data / "A" / "a.png", 0, "P7", "L"),
        Sample(data / "A" / "b.png", 0, "P7", "R"),
        Sample(data / "B" / "c.png", 1, "B/c.png", ""),
    )
    assert read_catalog(data).samples[0].camera == "Optos"


def test_a_label_of_the_table_counts_more_than_the_folder(tmp_path: Path) -> None:
    data = draw(tmp_path, "A/1_R.png", "A/2_R.png", "B/3_R.png")
    write_table(tmp_path, "file,label", "1_R,A", "2_R,B", "3_R,B")
    assert [value[0] for value in found(data).values()] == ["A", "B", "B"]
    assert read_catalog(data).warnings == (
        "1 photograph is in the folder of another class than labels.csv says (A/2_R.png): labels.csv counts",
    )


@pytest.mark.parametrize("nothing", ["NaN", "nan", "N/A", "null", "None"])
@pytest.mark.parametrize(("one", "two"), [("0", "1"), ("0.0", "1.0"), ("A", "B")])
def test_what_pandas_writes_for_no_value_is_no_class_but_no_label(
    tmp_path: Path, nothing: str, one: str, two: str
) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png", "3_R.png")
    write_table(tmp_path, "file,label", f"1_R.png,{one}", f"2_R.png,{two}", f"3_R.png,{nothing}")
    catalog = read_catalog(data)
    assert catalog.classes == (class_key(one), class_key(two)) and len(catalog.samples) == 2
    assert catalog.warnings == (
        f"1 photograph is left out, without a label in labels.csv (3_R.png): {nothing} stands for no label; if it is a class, name all "
        f"classes in {tmp_path / 'train' / 'classes.txt'}, one a line",
    )


@pytest.mark.parametrize("folder", ["", "None/"])
def test_a_class_called_none_is_one_where_a_folder_or_the_class_file_says_so(tmp_path: Path, folder: str) -> None:
    data = draw(tmp_path, f"{folder}1_R.png", "2_R.png", "3_R.png")
    write_table(tmp_path, "file,label", "1_R.png,None", "2_R.png,Mild", "3_R.png,None")
    if not folder:
        (tmp_path / "train" / "classes.txt").write_text("None\nMild\n")
    catalog = read_catalog(data)
    assert sorted(catalog.classes) == ["Mild", "None"] and len(catalog.samples) == 3 and catalog.warnings == ()


def test_patients_without_a_name_are_not_one_patient_called_nan(tmp_path: Path) -> None:
    data = draw(tmp_path, "a.png", "b.png", "c.png")
    write_table(tmp_path, "file,label,patient,eye", "a.png,0,nan,NaN", "b.png,1,NA,nan", "c.png,1,7,R")
    assert found(data) == {"a.png": ("0", "./a.png", ""), "b.png": ("1", "./b.png", ""), "c.png": ("1", "7", "R")}


def test_cells_without_a_value_are_0_in_columns_of_0_and_1(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    write_table(tmp_path, "file,A,B", "1_R.png,1.0,nan", "2_R.png,nan,1.0")
    assert {name: label for name, (label, _, _) in found(data).items()} == {"1_R.png": "A", "2_R.png": "B"}


@pytest.mark.parametrize("lines", [["1_R.png,x"], ["file,age", "1_R.png,60"], []])
def test_a_table_without_names_of_columns_is_refused_with_a_header_to_write(tmp_path: Path, lines: list[str]) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    write_table(tmp_path, *lines)
    with pytest.raises(CatalogError, match=r"labels.csv: no column .* begin with a line such as file,label,patient"):
        read_catalog(data)


@pytest.mark.parametrize(
    ("lines", "at"),
    [(['"file'], 1), (["file,label", "1_R,x", '"2_R,y', *["3_R,y"] * 4000], 3), (['file,"label" x'], 1)],
)
def test_a_quote_without_its_other_is_refused_with_its_line(tmp_path: Path, lines: list[str], at: int) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    write_table(tmp_path, *lines)
    with pytest.raises(CatalogError, match=f"labels.csv, line {at}: .*; a quote there may be one too many") as refused:
        read_catalog(data)
    assert len(str(refused.value)) < 300


def test_a_long_name_in_a_table_is_shortened(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    write_table(tmp_path, "file,label", "1_R,x", "2_R,y", "9" * 50_000 + ",y")
    assert all(len(warning) < 300 for warning in read_catalog(data).warnings)


ONE_HOT = ("ID,Patient Age,N,D,G,filename", "0,69,1,0,0,1_R.png", "1,1,0,0.0,1.0,2_R.png", "2,0,0,0,1,3_R.png")


def test_columns_of_0_and_1_are_classes(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png", "3_R.png")
    write_table(tmp_path, *ONE_HOT)
    assert {name: value[0] for name, value in found(data).items()} == {"1_R.png": "N", "2_R.png": "G", "3_R.png": "G"}


@pytest.mark.parametrize("folder", ["pictures/", "N/"])
def test_columns_of_0_and_1_are_classes_also_of_photographs_in_folders(tmp_path: Path, folder: str) -> None:
    data = draw(tmp_path, f"{folder}1_R.png", f"{folder}2_R.png", f"{folder}3_R.png")
    write_table(tmp_path, *ONE_HOT)
    assert [value[0] for value in found(data).values()] == ["N", "G", "G"]


def test_a_photograph_of_several_classes_is_refused_with_the_columns_or_left_to_the_folders(tmp_path: Path) -> None:
    lines = [
        "ID,Disease_Risk,DR,MH",
        *(f"{number},1,{number % 2},{number == 4:d}" for number in range(1, 6)),
        "6,0,0,0",
    ]
    draw(tmp_path / "flat", *(f"{number}.png" for number in range(1, 7)))
    write_table(tmp_path / "flat", *lines)
    with pytest.raises(CatalogError) as refused:
        read_catalog(tmp_path / "flat" / "train" / "train_data")
    problem = (
        "4 lines are of several classes, as 1 stands in several columns (1: Disease_Risk, DR, 3: Disease_Risk, DR, 4: Disease_Risk, MH, "
        "5: Disease_Risk, DR); a photograph has one: remove columns that are no classes, or write the class into a column label"
    )
    assert str(refused.value).endswith(f"labels.csv: {problem}")
    data = draw(tmp_path / "folders", *(f"{'AB'[number % 2]}/{number}.png" for number in range(1, 7)))
    write_table(tmp_path / "folders", *lines)
    catalog = read_catalog(data)
    assert catalog.classes == ("A", "B") and f"labels.csv: columns of 0 and 1 not used: {problem}" in catalog.warnings


def test_facts_of_0_and_1_beside_class_folders_are_no_classes(tmp_path: Path) -> None:
    data = draw(tmp_path, "A/1_R.png", "B/2_R.png")
    write_table(tmp_path, "file,patient,blurred,sharp", "1_R,7,1,0", "2_R,8,0,1")
    assert [value[:2] for value in found(data).values()] == [("A", "7"), ("B", "8")]


def test_a_spreadsheet_is_named_with_the_fix(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    (data.parent / "labels.xlsx").write_bytes(b"PK")
    with pytest.raises(CatalogError, match=r"labels.xlsx: a spreadsheet is not read; save it as CSV \(UTF-8\)"):
        read_catalog(data)
    draw(tmp_path, "A/1_R.png", "B/2_R.png")
    assert "labels.xlsx: a spreadsheet is not read" in read_catalog(data).warnings[0]


def test_a_spreadsheet_under_the_name_of_a_table_is_named_with_the_fix(tmp_path: Path) -> None:
    data = draw(tmp_path, "1_R.png", "2_R.png")
    (data.parent / "labels.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(CatalogError, match=r"labels.csv: a spreadsheet under another name is not read; save it as CSV"):
        read_catalog(data)


@pytest.mark.parametrize("name", ["NROMAL", "NORMALS", "N0RMAL", "NOR-MAL", "NRMAL"])
def test_a_typing_error_in_the_name_of_a_class_is_named(tmp_path: Path, name: str) -> None:
    data = draw(
        tmp_path, f"{name}/0_R.png", *(f"{each}/{n}_R.png" for each in ("NORMAL", "GLAUCOMA") for n in range(5))
    )
    (warning,) = [each for each in read_catalog(data).warnings if "typing error" in each]
    assert warning.startswith(
        f"class {name} has 1 photograph, NORMAL has 5: if that is a typing error, rename {name}; if not"
    )
    (data.parent / "classes.txt").write_text(f"NORMAL\nGLAUCOMA\n{name}\n")
    assert "typing error" not in str(read_catalog(data).warnings)


@pytest.mark.parametrize("names", [("grade1", "grade2"), ("DR", "MR"), ("mild", "severe"), ("1", "11")])
def test_names_that_differ_in_numbers_or_are_short_are_no_typing_errors(tmp_path: Path, names: tuple[str, str]) -> None:
    data = draw(tmp_path, f"{names[0]}/0_R.png", *(f"{names[1]}/{number}_R.png" for number in range(9)))
    assert "typing error" not in str(read_catalog(data).warnings)


def test_two_tables_that_contradict_each_other_are_counted_and_named(tmp_path: Path) -> None:
    data = draw(tmp_path, *(f"{number}_R.png" for number in range(5)))
    write_table(tmp_path, "file,label", *(f"{number}_R,{'xy'[number % 2]}" for number in range(5)))
    write_table(tmp_path, "file,label", "0_R,x", "1_R,x", *(f"{number}_R,x" for number in (2, 3)), name="train_label")
    assert [value[0] for value in found(data).values()] == ["x", "y", "x", "y", "x"]
    assert read_catalog(data).warnings == (
        "2 photographs are of another class in train_label than in labels.csv (1_R.png, 3_R.png): labels.csv counts; correct it, or "
        "remove train_label",
    )


def test_a_photograph_in_a_folder_of_another_class_is_counted_where_only_some_folders_are_classes(
    tmp_path: Path,
) -> None:
    data = draw(tmp_path, "A/1_R.png", "B/2_R.png", "new/3_R.png")
    write_table(tmp_path, "file,label", "1_R,B", "2_R,B", "3_R,A")
    assert read_catalog(data).warnings == (
        "1 photograph is in the folder of another class than labels.csv says (A/1_R.png): labels.csv counts",
    )


@pytest.mark.parametrize("content", ["0\n1\n", "0 A\n1 B\n"])
def test_a_class_file_of_numbers_is_refused_with_what_to_write(tmp_path: Path, content: str) -> None:
    data = draw(tmp_path, "A/1_R.png", "B/2_R.png")
    (tmp_path / "train" / "classes.txt").write_text(content)
    with pytest.raises(
        CatalogError, match=r"classes.txt: none of its lines \(0.*\) is a class of the photographs \(A, B\); write"
    ):
        read_catalog(data)


def test_beside_class_folders_a_file_of_that_name_may_hold_anything(tmp_path: Path) -> None:
    data = draw(tmp_path, "A/1_R.png", "B/2_R.png")
    write_table(tmp_path, "height,weight", "1,2")
    catalog = read_catalog(data)
    assert len(catalog.samples) == 2
    assert catalog.warnings[0].startswith("not used: ") and len(catalog.warnings) == 1


def test_names_that_fit_nothing_come_with_three_examples_and_a_pattern_that_fits(tmp_path: Path) -> None:
    names = [f"{side}/{patient:03}a_{picture}x.png" for side in "AB" for patient in range(4) for picture in range(2)]
    data = draw(tmp_path, *names)
    (warning,) = read_catalog(data).warnings
    assert warning.startswith("16 of 16 names do not fit")
    assert "(A/000a_0x.png, A/000a_1x.png, A/001a_0x.png, ...)" in warning
    pattern = warning.partition("--patient-pattern '")[2].partition("'")[0]
    assert f"'{pattern}' would find 4 patients" in warning
    catalog = read_catalog(data, patient_pattern=pattern)
    assert {each.patient for each in catalog.samples} == {"000a", "001a", "002a", "003a"} and not catalog.warnings


@pytest.mark.parametrize("name", ["{}.png", "img_{}.png"])
def test_a_folder_for_each_patient_comes_with_the_pattern_that_finds_it(tmp_path: Path, name: str) -> None:
    data = draw(tmp_path, *(f"{side}/{side}{n}/{name.format(eye)}" for side in "AB" for n in range(4) for eye in "RL"))
    (warning,) = read_catalog(data).warnings
    assert "--patient-pattern '/(.+)/'" in warning
    catalog = read_catalog(data, patient_pattern="/(.+)/")
    assert {each.patient for each in catalog.samples} == {f"{side}{n}" for side in "AB" for n in range(4)}
    assert not catalog.warnings


def test_folders_of_cameras_are_no_patients(tmp_path: Path) -> None:
    data = draw(tmp_path, *(f"{side}/{camera}/{side}{n}_R.png" for side in "AB" for n in range(4) for camera in "XY"))
    catalog = read_catalog(data)
    assert len({each.patient for each in catalog.samples}) == 8 and not catalog.warnings


@pytest.mark.parametrize("pattern", [r"(?P<eye>L|R)-(?P<patient>\d+)", r"-(\d+)"])
def test_a_pattern_finds_patient_and_eye_and_what_it_does_not_fit_is_counted(tmp_path: Path, pattern: str) -> None:
    data = draw(tmp_path, "A/L-7.png", "A/R-07.png", "B/R-8.png", "B/other.png")
    catalog = read_catalog(data, patient_pattern=pattern)
    assert [each.patient for each in catalog.samples] == ["7", "7", "8", "B/other.png"]
    assert [each.eye for each in catalog.samples] == (["L", "R", "R", ""] if "eye" in pattern else [""] * 4)
    assert any(each.startswith("1 of 4 names do not fit --patient-pattern (B/other.png)") for each in catalog.warnings)


def test_numbers_that_are_classes_are_no_codes_in_names(tmp_path: Path) -> None:
    data = draw(tmp_path, "0/12_1_7_left.png", "1/13_1_7_left.png")
    assert [value[1] for value in found(data).values()] == ["12_1_7", "13_1_7"]


@given(st.binary(max_size=300))
def test_no_content_makes_a_table_or_class_file_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    data = draw(folder, "a.png")
    for name in ("labels.csv", "classes.txt"):
        (folder / "train" / name).write_bytes(content)
    for read in (
        lambda: read_class_file(folder / "train" / "classes.txt"),
        lambda: labels.read_labels(data, [data / "a.png"]),
    ):
        try:
            read()
        except LabelError as error:
            assert "\n" not in str(error)


def test_template_and_nsml_read_labels_by_the_same_file() -> None:
    from nsml.store import labels as of_nsml

    assert inspect.getsource(labels) == inspect.getsource(of_nsml)

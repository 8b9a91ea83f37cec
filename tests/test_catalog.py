"""A folder of photographs -> samples."""

import errno
import io
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataprep.catalog import CatalogError, Sample, read_catalog
from dataprep.header import PhotographError, read_header


def write(path: Path, height: int = 12, width: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 5, columns * 5, rows + columns], axis=-1).astype(np.uint8)
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "NORMAL" / "Wide_NOR_12_R.jpg")
    write(tmp_path / "NORMAL" / "Wide_NOR_12_L_2.jpg")
    write(tmp_path / "AMD" / "Wide_AMD_007_L.jpg")
    write(tmp_path / "RVO" / "Optos_200_RVO_a_b_R.jpg")
    return tmp_path


def test_class_patient_and_eye_come_from_folder_and_name(folder: Path) -> None:
    catalog = read_catalog(folder)
    assert catalog.samples == (
        Sample(folder / "AMD" / "Wide_AMD_007_L.jpg", 1, "007", "L"),
        Sample(folder / "NORMAL" / "Wide_NOR_12_L_2.jpg", 0, "12", "L"),
        Sample(folder / "NORMAL" / "Wide_NOR_12_R.jpg", 0, "12", "R"),
        Sample(folder / "RVO" / "Optos_200_RVO_a_b_R.jpg", 2, "a_b", "R"),
    )
    assert catalog.unreadable == ()
    assert catalog.warnings == ()


def test_a_folder_named_NOR_is_NORMAL(folder: Path) -> None:
    (folder / "NORMAL").rename(folder / "NOR")
    assert sorted(sample.label for sample in read_catalog(folder).samples) == [0, 0, 1, 2]


def test_an_id_is_one_person_in_every_class_and_from_every_camera(folder: Path) -> None:
    write(folder / "DMR" / "Other_DMR_12_R.jpg")
    patients = [sample.patient for sample in read_catalog(folder).samples]
    assert patients.count("12") == 3


def test_a_file_without_a_patient_in_its_name_is_its_own_patient(folder: Path) -> None:
    write(folder / "AMD" / "scan.jpg")
    write(folder / "NORMAL" / "scan.jpg")
    write(folder / "NORMAL" / "Wide_NOR_12.jpg")
    catalog = read_catalog(folder)
    strangers = [sample for sample in catalog.samples if sample.eye == ""]
    assert [sample.patient for sample in strangers] == ["AMD/scan.jpg", "NORMAL/Wide_NOR_12.jpg", "NORMAL/scan.jpg"]
    (warning,) = catalog.warnings
    assert warning.startswith("3 of 7 names do not fit")
    assert "(AMD/scan.jpg, NORMAL/Wide_NOR_12.jpg, NORMAL/scan.jpg)" in warning


@pytest.mark.parametrize(
    "pair",
    [
        ("Wide_AMD_김하나_R", unicodedata.normalize("NFD", "Wide_AMD_김하나_L")),
        ("Wide_AMD_José_R", unicodedata.normalize("NFD", "Wide_AMD_José_L")),
        ("Wide_AMD_ 12_R", "Wide_AMD_12 _L"),
        (" Wide_AMD_12_R", "Wide_AMD_12_L "),
        ("Wide_AMD_12_R", "Wide_AMD_\u300012_L"),
        ("Wide_AMD_012_R", "Wide_AMD_12_L"),
        ("Wide_AMD_P0012_R", "Wide_AMD_p12_L"),
        ("Wide_AMD_12_OD", "Wide_AMD_12_OS"),
        ("Wide_AMD_12_RE", "Wide_AMD_12_LE"),
        ("10_left", "10_right"),
        ("0010 RIGHT", "10-left"),
        ("12R", "12L"),
        ("Wide_AMD_12_R (2)", "Wide_AMD_12_L"),
        ("Wide_AMD_12_R(2)", "Wide_AMD_12_L_3"),
        ("Wide_AMD_12_R - Copy", "Wide_AMD_12_L - 복사본 (2)"),
        ("Wide-AMD-12-R", "Wide AMD 12 L"),
        ("Wide_GLAUCOMA_12_R", "Wide_GLAUCOMA_12_L"),
        ("김하나_우안", "김하나_좌안"),
    ],
)
def test_fellow_eyes_are_of_one_patient_however_their_names_are_spelled(folder: Path, pair: tuple[str, str]) -> None:
    for name in pair:
        write(folder / "DMR" / f"{name}.jpg")
    right, left = sorted(
        (sample for sample in read_catalog(folder).samples if sample.label == 3), key=lambda sample: sample.eye == "L"
    )
    assert (right.eye, left.eye) == ("R", "L")
    assert right.patient == left.patient


@pytest.mark.parametrize("pair", [("12_R", "112_L"), ("P1_R", "P10_L"), ("0_R", "00_x_L"), ("가_R", "각_L")])
def test_patients_of_other_names_stay_apart(folder: Path, pair: tuple[str, str]) -> None:
    for name in pair:
        write(folder / "DMR" / f"{name}.jpg")
    assert len({sample.patient for sample in read_catalog(folder).samples if sample.label == 3}) == 2


def test_spellings_counted_as_one_patient_give_a_warning_with_a_count(folder: Path) -> None:
    write(folder / "AMD" / "Wide_AMD_7_R.jpg")
    (warning,) = read_catalog(folder).warnings
    assert warning == "1 patient is spelled in several ways, each counted as one: '007' and '7'"


@pytest.mark.parametrize("names", [("50_20190101_R", "50_20190302_L"), ("2019-01-01_50_R", "2019-03-02_50_L")])
def test_patients_that_differ_by_a_date_alone_are_named_with_a_pattern_that_joins_them(
    folder: Path, names: tuple[str, str]
) -> None:
    for name in names:
        write(folder / "AMD" / f"{name}.jpg")
    warning = next(line for line in read_catalog(folder).warnings if "date" in line)
    assert warning.startswith("2 patients differ by a date alone")
    pattern = warning.partition("--patient-pattern '")[2].rstrip("'")
    catalog = read_catalog(folder, patient_pattern=pattern)
    assert {sample.patient for sample in catalog.samples if sample.path.stem in names} == {"50"}
    assert not any("date" in line for line in catalog.warnings)


def test_a_picture_of_both_eyes_is_recognised_by_its_name_and_its_shape(folder: Path) -> None:
    write(folder / "DMR" / "Wide_DMR_1_OU.jpg", 40, 80)
    write(folder / "DMR" / "Wide_DMR_2_R.jpg", 90, 40)
    write(folder / "DMR" / "Wide_DMR_3_R.jpg", 90, 160)
    catalog = read_catalog(folder)
    assert [sample.eye for sample in catalog.samples if sample.label == 3] == ["", "R", "R"]
    (warning,) = catalog.warnings
    assert warning.startswith(
        "2 photographs are about twice as long as wide (DMR/Wide_DMR_1_OU.jpg, DMR/Wide_DMR_2_R.jpg)"
    )


def test_classes_are_compared_in_one_normalisation_and_without_blanks(tmp_path: Path) -> None:
    write(tmp_path / unicodedata.normalize("NFD", "정상") / "1_R.jpg")
    write(tmp_path / " amd " / "2_R.jpg")
    assert [sample.label for sample in read_catalog(tmp_path, ("정상", "AMD")).samples] == [1, 0]


def test_a_class_that_is_named_twice_is_refused(folder: Path) -> None:
    with pytest.raises(CatalogError, match="one is named twice"):
        read_catalog(folder, ("NORMAL", "AMD", "amd"))


def test_a_code_that_contradicts_the_folder_gives_a_warning_and_the_folder_counts(folder: Path) -> None:
    write(folder / "DMR" / "Wide_AMD_9_R.jpg")
    catalog = read_catalog(folder)
    assert next(sample.label for sample in catalog.samples if sample.patient == "9") == 3
    (warning,) = catalog.warnings
    assert warning.startswith("1 of 5 names contain another class")


def test_a_folder_that_is_no_class_is_named_and_left_out(folder: Path) -> None:
    (folder / "classes.txt").write_text("NORMAL\nAMD\nRVO\n")
    write(folder / "GLAUCOMA" / "Wide_NOR_1_R.jpg")
    (folder / ".cache").mkdir()
    (folder / "empty").mkdir()
    catalog = read_catalog(folder)
    assert len(catalog.samples) == 4
    (warning,) = catalog.warnings
    assert str(folder / "GLAUCOMA") in warning


def test_every_extension_in_any_case_is_read_and_other_files_are_counted_by_ending(folder: Path) -> None:
    whole = write(folder / "DMR" / "a.JPG").read_bytes()
    names = ["a.JPG", "b.jpeg", "c.Png", "d.bmp", "e.TIF", "f.jfif", "g.JPE", "h.WebP", "i.ppm", "j.jp2", "k.gif"]
    for name in names[1:]:
        if name.endswith(".jfif"):
            (folder / "DMR" / name).write_bytes(whole)
        else:
            write(folder / "DMR" / name, 48, 64)
    for name in ("notes.txt", "a.XYZ", "b.xyz", "IM0001"):
        (folder / "DMR" / name).write_text("no photograph")
    for name in ("._a.JPG", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "DMR" / name).write_bytes(b"left by a system")
    catalog = read_catalog(folder)
    assert [sample.path.name for sample in catalog.samples if sample.label == 3] == names
    assert (
        "4 files of DMR are left out, without the ending of a photograph: .xyz 2, without an ending 1, .txt 1"
        in catalog.warnings
    )


def test_photographs_in_no_class_folder_are_counted(folder: Path) -> None:
    write(folder / "a.jpg")
    assert "1 photograph is left out, in no class folder (a.jpg)" in read_catalog(folder).warnings


@pytest.mark.parametrize("target", [".", "..", "../..", "../NORMAL", "{top}/AMD", "/"])
def test_a_link_that_leads_back_multiplies_no_photograph(folder: Path, target: str) -> None:
    before = read_catalog(folder).samples
    (folder / "AMD" / "again").symlink_to(target.format(top=folder))
    catalog = read_catalog(folder)
    assert catalog.samples == before
    (warning,) = catalog.warnings
    assert warning.startswith(f"1 folder is left out, the first {folder / 'AMD' / 'again'}: a link to a folder that")


def test_a_link_to_a_folder_elsewhere_is_followed_once(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere / "Wide_AMD_90_R.jpg")
    for name in ("one", "other"):
        (folder / "AMD" / name).symlink_to(elsewhere)
    catalog = read_catalog(folder)
    assert sum(sample.patient == "90" for sample in catalog.samples) == 1
    assert "1 folder is left out" in catalog.warnings[0]


def test_a_class_that_is_a_broken_link_gives_a_warning(folder: Path) -> None:
    (folder / "DMR").symlink_to(folder / "DMR")
    (warning,) = read_catalog(folder).warnings
    assert warning.startswith(f"{folder / 'DMR'}: left out, as it is not a folder")


def test_a_folder_that_cannot_be_read_gives_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> Any:  # as the system does, but to root
        if str(path) == str(folder / "AMD"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    catalog = read_catalog(folder)
    assert {sample.label for sample in catalog.samples} == {0, 2}
    assert catalog.warnings == (f"1 folder is left out, the first {folder / 'AMD'}: Permission denied",)


def test_a_named_pipe_is_no_photograph_and_blocks_nobody(folder: Path) -> None:
    os.mkfifo(folder / "DMR.jpg")
    os.mkfifo(folder / "AMD" / "Wide_AMD_8_R.jpg")
    ((_, reason),) = read_catalog(folder).unreadable
    assert reason == "not a regular file"


@pytest.mark.parametrize("extension", ["jpg", "png", "bmp", "tif"])
def test_truncated_empty_and_foreign_files_are_listed_with_the_reason(folder: Path, extension: str) -> None:
    whole = write(folder / "DMR" / f"Wide_DMR_1_R.{extension}").read_bytes()
    (folder / "DMR" / f"Wide_DMR_2_R.{extension}").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "DMR" / f"Wide_DMR_3_R.{extension}").write_bytes(whole[:10])
    (folder / "DMR" / f"Wide_DMR_4_R.{extension}").write_bytes(b"")
    (folder / "DMR" / f"Wide_DMR_5_R.{extension}").write_bytes(b"<html>Not found</html>")
    (folder / "DMR" / f"Wide_DMR_6_R.{extension}").symlink_to(folder / "gone")
    catalog = read_catalog(folder)
    assert len(catalog.samples) == 5
    reasons = {path.stem: reason for path, reason in catalog.unreadable}
    assert len(reasons) == 5
    assert "truncated" in reasons["Wide_DMR_2_R"]
    assert "truncated" in reasons["Wide_DMR_3_R"]
    assert "empty" in reasons["Wide_DMR_4_R"]
    assert "not a JPEG" in reasons["Wide_DMR_5_R"]
    assert "No such file" in reasons["Wide_DMR_6_R"]
    assert any(warning.startswith("5 unreadable files are left out") for warning in catalog.warnings)


def test_a_zero_sized_photograph_is_listed(folder: Path) -> None:
    path = write(folder / "DMR" / "Wide_DMR_1_R.png")
    content = bytearray(path.read_bytes())
    content[16:20] = bytes(4)
    path.write_bytes(content)
    ((listed, reason),) = read_catalog(folder).unreadable
    assert listed == path and reason.startswith("0x12")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 300)])
def test_a_photograph_of_hardly_any_pixels_is_listed(folder: Path, height: int, width: int) -> None:
    path = write(folder / "DMR" / "Wide_DMR_1_R.png", height, width)
    catalog = read_catalog(folder)
    assert catalog.unreadable == ((path, f"{width}x{height} pixels: fewer than 8 show no eye"),)
    assert any(warning.startswith("1 unreadable file is left out") for warning in catalog.warnings)


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jpg").read_bytes()
    assert read_header(whole + bytes(200_000))[:3] == (16, 12, "JPEG")


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no such folder") as caught:
        read_catalog(tmp_path / "gone")
    assert "\n" not in str(caught.value)


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "NORMAL").mkdir()
    with pytest.raises(CatalogError, match="no photographs in class folders"):
        read_catalog(tmp_path)


def test_the_dataset_above_the_class_folders_is_recognised(tmp_path: Path) -> None:
    write(tmp_path / "train" / "train_data" / "AMD" / "a.jpg")
    with pytest.raises(CatalogError, match="train_data; give that folder"):
        read_catalog(tmp_path)


def test_a_single_class_is_refused_by_name(folder: Path) -> None:
    shutil.rmtree(folder / "AMD")
    shutil.rmtree(folder / "RVO")
    (folder / "classes.txt").write_text("NORMAL\nAMD\nRVO\n")
    write(folder / "AMDD" / "a.jpg")
    with pytest.raises(CatalogError, match=r"only NORMAL has photographs.*AMDD"):
        read_catalog(folder)


def test_only_unreadable_photographs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "AMD").mkdir()
    (tmp_path / "AMD" / "a.jpg").write_bytes(b"")
    with pytest.raises(CatalogError, match="none of 1 photographs can be read"):
        read_catalog(tmp_path)


STARTS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0\x08\0\0\0",
    b"RIFF\x20\0\0\0WEBPVP8",
]
STARTS += [b"P6 ", b"PF\n", b"\0\0\0\x0cjP  ", b"\0\0\0\x18ftypavif", b"GIF89a", b"\x59\xa6\x6a\x95", b"#?RADIANCE"]
STARTS += [b"\xff\xd8\xff\xe1\0\x40Exif\0\0MM\0*\0\0\0\x08", bytes(128) + b"DICM"]


@given(st.binary(max_size=200), st.sampled_from(STARTS))
def test_no_content_makes_the_header_reader_fail_in_another_way(content: bytes, start: bytes) -> None:
    try:
        width, height, *_ = read_header(start + content)
    except PhotographError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert width > 0 and height > 0


@pytest.mark.parametrize("extension", ["jpg", "png", "bmp", "tif", "webp", "ppm", "pfm", "gif", "avif", "ras", "hdr"])
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_size_in_the_header_is_that_of_the_decoded_image(extension: str, height: int, width: int) -> None:
    written, content = cv2.imencode(f".{extension}", np.full((height, width, 3), 9, np.uint8))
    assert written
    header = read_header(content.tobytes())
    assert header[:2] == (width, height) and header.pages == 1


@pytest.mark.parametrize("extension", ["jp2", "webp", "ppm", "pgm", "pbm", "gif", "avif"])
def test_half_of_a_file_of_any_format_is_called_truncated(extension: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 1 if extension in ("pgm", "pbm") else 3), np.uint8)
    whole = cv2.imencode(f".{extension}", image)[1].tobytes()
    assert read_header(whole)[:2] == (128, 96)
    with pytest.raises(PhotographError, match="truncated"):
        read_header(whole[: len(whole) // 2])


def test_transparent_and_lossless_webp_have_the_size_of_their_pixels() -> None:
    for options in ({"lossless": True}, {"quality": 80}):
        content = io.BytesIO()
        Image.new("RGBA", (61, 34), (9, 9, 9, 100)).save(content, "WEBP", **options)
        assert read_header(content.getvalue())[:3] == (61, 34, "WebP")


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
def test_a_big_tiff_is_read_and_its_end_is_checked(mode: str) -> None:
    content = io.BytesIO()
    Image.new(mode, (60, 40)).save(content, "TIFF", big_tiff=True)
    assert read_header(content.getvalue())[:3] == (60, 40, "TIFF")
    with pytest.raises(PhotographError, match="truncated"):
        read_header(content.getvalue()[:-2000])


def test_pages_of_a_tiff_give_a_warning_with_their_number_without_previews(folder: Path) -> None:
    pages = [Image.new("RGB", (30, 20), colour) for colour in ("red", "green", "blue")]
    path = folder / "DMR" / "Wide_DMR_1_R.tif"
    path.parent.mkdir()
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert read_header(path).pages == 3
    (warning,) = read_catalog(folder).warnings
    assert warning.startswith("1 file is made of several pages (DMR/Wide_DMR_1_R.tif): only the first page is read")
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(path, save_all=True, append_images=pages[1:2])
    assert read_header(path).pages == 1


def test_the_real_sets_are_read_whole(fundus_photographs: Path) -> None:
    odir = read_catalog(fundus_photographs / "ODIR_FUNDUS" / "train" / "train_data")
    assert np.bincount([sample.label for sample in odir.samples]).tolist() == [300, 67, 3, 34]
    assert odir.unreadable == () and odir.warnings == ()
    assert len({sample.patient for sample in odir.samples}) == 242
    mex = read_catalog(fundus_photographs / "MEX_FUNDUS" / "train" / "train_data")
    assert np.bincount([sample.label for sample in mex.samples]).tolist() == [150, 0, 0, 300]

"""A folder of photographs -> samples."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    write(folder / "NORMAL" / "Wide_XYZ_12_R.jpg")
    catalog = read_catalog(folder)
    strangers = [sample for sample in catalog.samples if sample.eye == ""]
    assert [sample.patient for sample in strangers] == ["AMD/scan.jpg", "NORMAL/Wide_XYZ_12_R.jpg", "NORMAL/scan.jpg"]
    (warning,) = catalog.warnings
    assert warning.startswith("3 of 7 names do not fit")


def test_a_code_that_contradicts_the_folder_is_told_and_the_folder_counts(folder: Path) -> None:
    write(folder / "DMR" / "Wide_AMD_9_R.jpg")
    catalog = read_catalog(folder)
    assert next(sample.label for sample in catalog.samples if sample.patient == "9") == 3
    (warning,) = catalog.warnings
    assert warning.startswith("1 of 5 names have another class's code")


def test_a_folder_that_is_no_class_is_named_and_left_out(folder: Path) -> None:
    write(folder / "GLAUCOMA" / "Wide_NOR_1_R.jpg")
    (folder / ".cache").mkdir()
    (folder / "empty").mkdir()
    catalog = read_catalog(folder)
    assert len(catalog.samples) == 4
    (warning,) = catalog.warnings
    assert str(folder / "GLAUCOMA") in warning


def test_every_extension_in_any_case_is_read_and_other_files_are_not(folder: Path) -> None:
    for name in ("a.JPG", "b.jpeg", "c.Png", "d.bmp", "e.TIF"):
        write(folder / "DMR" / name)
    (folder / "DMR" / "notes.txt").write_text("no photograph")
    (folder / "DMR" / "._a.JPG").write_bytes(b"left by macOS")
    names = [sample.path.name for sample in read_catalog(folder).samples if sample.label == 3]
    assert names == ["a.JPG", "b.jpeg", "c.Png", "d.bmp", "e.TIF"]


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


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jpg").read_bytes()
    assert read_header(whole + bytes(200_000)) == (16, 12, "JPEG")


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
    with pytest.raises(CatalogError, match="train_data: give that folder"):
        read_catalog(tmp_path)


def test_a_single_class_is_refused_by_name(folder: Path) -> None:
    shutil.rmtree(folder / "AMD")
    shutil.rmtree(folder / "RVO")
    write(folder / "AMDD" / "a.jpg")
    with pytest.raises(CatalogError, match=r"only NORMAL has photographs.*AMDD"):
        read_catalog(folder)


def test_only_unreadable_photographs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "AMD").mkdir()
    (tmp_path / "AMD" / "a.jpg").write_bytes(b"")
    with pytest.raises(CatalogError, match="none of 1 photographs can be read"):
        read_catalog(tmp_path)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*"])
)
def test_no_content_makes_the_header_reader_fail_in_another_way(content: bytes, start: bytes) -> None:
    try:
        width, height, _ = read_header(start + content)
    except PhotographError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert width > 0 and height > 0


@pytest.mark.parametrize("extension", ["jpg", "png", "bmp", "tif"])
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_the_size_in_the_header_is_that_of_the_decoded_image(extension: str, height: int, width: int) -> None:
    written, content = cv2.imencode(f".{extension}", np.full((height, width, 3), 9, np.uint8))
    assert written
    assert read_header(content.tobytes())[:2] == (width, height)


def test_the_real_sets_are_read_whole(fundus_photographs: Path) -> None:
    odir = read_catalog(fundus_photographs / "ODIR_FUNDUS" / "train" / "train_data")
    assert np.bincount([sample.label for sample in odir.samples]).tolist() == [300, 67, 3, 34]
    assert odir.unreadable == () and odir.warnings == ()
    assert len({sample.patient for sample in odir.samples}) == 242
    mex = read_catalog(fundus_photographs / "MEX_FUNDUS" / "train" / "train_data")
    assert np.bincount([sample.label for sample in mex.samples]).tolist() == [150, 0, 0, 300]

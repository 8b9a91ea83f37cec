"""`python -m evidence audit` as a user starts it: the table, the page, and one line for bad input."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataprep.catalog import CatalogError
from dataprep.split import columns
from evidence.__main__ import main
from evidence.audit import fingerprint
from evidence.audit.findings import audit, blurred
from evidence.audit.layout import find_test, find_training
from evidence.audit.page import page, picture
from evidence.audit.table import WIDTH, clean, fit, table
from model.console import progress_line

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, draw_fundus: Callable[..., np.ndarray]) -> Path:
    """24 patients of two classes with planted faults: a blurred, a black, a broken photograph, copies, and one with text."""
    root = tmp_path_factory.mktemp("SET")
    training, test = root / "train" / "train_data", root / "test" / "test_data"
    for folder in (training / "NORMAL", training / "AMD", test):
        folder.mkdir(parents=True)
    for number in range(24):
        name, code = ("NORMAL", "NOR") if number % 2 else ("AMD", "AMD")
        image = draw_fundus(240, 300, seed=number)
        cv2.imwrite(str(training / name / f"Cam_{code}_{number:02d}_R.jpg"), image)
        if number < 4:
            other = draw_fundus(240, 300, seed=100 + number)
            cv2.imwrite(str(training / name / f"Cam_{code}_{number:02d}_L.jpg"), other)
    normal = training / "NORMAL"
    (normal / "Cam_NOR_30_R.jpg").write_bytes((normal / "Cam_NOR_05_R.jpg").read_bytes())
    copy = cv2.resize(draw_fundus(240, 300, seed=8), None, fx=1.5, fy=1.5)[:, ::-1]
    cv2.imwrite(str(normal / "Cam_NOR_08_L.jpg"), copy, [cv2.IMWRITE_JPEG_QUALITY, 70])
    cv2.imwrite(str(normal / "Cam_NOR_31_R.jpg"), draw_fundus(240, 300, seed=31, light=0.05))
    cv2.imwrite(str(normal / "Cam_NOR_32_R.jpg"), cv2.GaussianBlur(draw_fundus(240, 300, seed=32), (0, 0), 6))
    labelled = draw_fundus(320, 400, seed=33)
    cv2.putText(labelled, "KIM 1961", (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    cv2.imwrite(str(normal / "Cam_NOR_33_R.jpg"), labelled)
    (normal / "Cam_NOR_34_R.jpg").write_bytes(b"\xff\xd8")
    cv2.imwrite(str(test / "aa.jpg"), draw_fundus(240, 300, seed=12), [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(str(test / "bb.jpg"), draw_fundus(240, 300, seed=400))
    return root


@pytest.fixture(scope="module")
def printed(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the command prints on stdout."""
    out = tmp_path_factory.mktemp("out")
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "evidence", "audit", str(dataset), "--out", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in out.iterdir()] == ["audit.html"]
    # No terminal, so plain lines.
    assert "\r" not in ended.stderr and ended.stderr.splitlines()[-1].startswith("reading photographs: 35 of 35 in 0:")
    return ended.stdout


@pytest.fixture(scope="module")
def lines(printed: str) -> dict[str, str]:
    """The table's findings by name."""
    rows = [line[2:] for line in printed.splitlines() if re.match(r"[! ] \w", line)]
    return {row[:23].strip(): row[23:].strip() for row in rows}


def test_what_is_wrong_with_single_photographs_is_counted_and_named(lines: dict[str, str]) -> None:
    assert lines["unreadable"] == "1 photograph   Cam_NOR_34_R.jpg"
    assert lines["almost black"] == "1 photograph   Cam_NOR_31_R.jpg"
    assert lines["almost white"] == "0 photographs"
    assert re.match(r"[12] photographs? +Cam_NOR_32_R\.jpg", lines["blurred"])  # the other one is the enlarged copy
    assert lines["text burned in"] == "1 photograph   Cam_NOR_33_R.jpg"


def test_copies_are_sorted_by_class_patient_and_set(lines: dict[str, str]) -> None:
    pytest.importorskip("imagehash")
    assert lines["exact, within a class"] == "1 pair         Cam_NOR_05_R.jpg = Cam_NOR_30_R.jpg"
    assert lines["exact, across patients"] == lines["exact, within a class"]
    assert lines["exact, across classes"] == lines["exact, train and test"] == "0 pairs"
    assert lines["near, across classes"] == "1 pair         Cam_AMD_08_R.jpg = Cam_NOR_08_L.jpg"
    assert lines["near, within a class"] == lines["near, across patients"] == "0 pairs"
    assert lines["near, train and test"] == "1 pair         Cam_AMD_12_R.jpg = aa.jpg"


def test_patients_in_two_classes_and_fellow_eyes_are_counted(lines: dict[str, str]) -> None:
    assert (
        lines["in two classes"].startswith("1 patient")
        and "Cam_AMD_08_R.jpg + Cam_NOR_08_L.jpg" in lines["in two classes"]
    )
    assert lines["both eyes"].startswith("5 patients")
    assert lines["several photographs"] == "0 eyes"


def test_the_table_is_at_most_100_columns_wide_and_says_what_a_network_must_beat(printed: str) -> None:
    assert max(len(line) for line in printed.splitlines() if "audit.html" not in line) <= WIDTH
    assert "A network below the best AUC above has learned nothing about lesions." in printed
    for name in ("colours", "shape"):
        assert re.search(rf"^{name} +([01]\.\d{{3}} \([01]\.\d{{3}} to [01]\.\d{{3}}\) *){{3}}$", printed, re.MULTILINE)


def test_the_training_folder_of_a_dataset_finds_what_its_root_finds(dataset: Path) -> None:
    training = dataset / "train" / "train_data"
    assert find_training(dataset) == find_training(training) == training
    assert find_test(dataset, None) == find_test(training, None)
    assert [path.name for path in find_test(dataset, None)] == ["aa.jpg", "bb.jpg"]
    assert find_test(training / "AMD", None) == []
    assert find_test(dataset, dataset / "test") == find_test(dataset, None)


def test_test_photographs_may_lie_elsewhere(
    dataset: Path, tmp_path: Path, draw_fundus: Callable[..., np.ndarray]
) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), draw_fundus(240, 300, seed=7))
    assert audit(dataset, tmp_path).test_photographs == 1


def test_without_the_library_a_note_says_that_near_duplicates_are_missing(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "available", lambda: False)
    result = audit(dataset)
    assert fingerprint.MISSING in result.notes
    assert not any(finding.name.startswith("near") for finding in result.findings)
    assert any(finding.name.startswith("exact") and finding.count for finding in result.findings)


def test_classes_can_be_chosen(dataset: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (dataset / "train" / "train_data" / "RVO").mkdir(exist_ok=True)
    other = dataset / "train" / "train_data" / "RVO" / "Cam_RVO_70_R.jpg"
    other.write_bytes((dataset / "test" / "test_data" / "bb.jpg").read_bytes())
    try:
        assert main(["audit", str(dataset), "--classes", "AMD,NORMAL", "--out", str(tmp_path)]) == 0
    finally:
        other.unlink()
        other.parent.rmdir()
    text = capsys.readouterr().out
    assert "note: 1 photograph is left out, as the classes were chosen: RVO 1" in text
    assert "RVO" not in text.replace("chosen: RVO 1", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{gone}"], "no such folder"),
        (["{empty}"], "no photographs in class folders"),
        (["{set}", "--test", "{gone}"], "no such folder"),
        (["{set}", "--test", "{empty}"], "no photographs in it"),
        (["{set}", "--classes", "AMD,DMR"], "no photographs of DMR, only of NORMAL, AMD"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"set": str(dataset), "empty": str(tmp_path / "empty"), "gone": str(tmp_path / "gone")}
    assert main(["audit", *(word.format(**places) for word in words), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and len(printed.err.splitlines()) == 1 and printed.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words", [[], ["audit"], ["audi", "x"], ["audit", "x", "--classes", "AMD"], ["audit", "x", "--no"]]
)
def test_a_wrong_command_line_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_page_in_place_of_an_earlier_one_is_said_so(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for says in ("page with pictures", "page with pictures, in place of an earlier one"):
        assert main(["audit", str(dataset), "--out", str(tmp_path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"{says}: {tmp_path / 'audit.html'}"


def test_a_page_that_cannot_be_written_is_one_line_and_status_1(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["audit", str(dataset), "--out", str(tmp_path / "file")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err.splitlines()[-1]


def test_a_reader_that_has_seen_enough_is_told_in_one_line(dataset: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-m", "evidence", "audit", str(dataset), "--out", str(tmp_path)],
            cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert ended.returncode == 1
    *progress, last = ended.stderr.splitlines()
    assert last == "audit: stopped, as the program that read its output has ended"
    assert all(line.startswith("reading photographs: ") for line in progress)


class Elements(HTMLParser):
    """The elements of a page, and whether they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_escapes_what_comes_from_the_dataset_and_loads_nothing(
    tmp_path: Path, draw_fundus: Callable[..., np.ndarray]
) -> None:
    wicked = "<script>alert(1)<"
    for number, folder in enumerate(("AMD", "NORMAL", "NORMAL")):
        (tmp_path / folder).mkdir(exist_ok=True)
        name = f"{wicked}&\"'_{folder[:3]}_{number // 2}_R.jpg"
        cv2.imwrite(str(tmp_path / folder / name), draw_fundus(120, 150, seed=1, light=1 - number / 10))
        os.link(tmp_path / folder / name, tmp_path / folder / name.replace("_R.", "_R_2."))
    result = audit(tmp_path)
    text = page(result)
    parser = Elements()
    parser.feed(text)
    assert parser.open == []
    tags = {tag for tag, _ in parser.tags}
    assert "script" not in tags and "link" not in tags and "img" in tags
    assert all(str(a["src"]).startswith("data:image/jpeg;base64,") for tag, a in parser.tags if tag == "img")
    assert not re.search(r"https?:|url\(|\bon\w+=", text)
    assert wicked not in text and "&lt;script&gt;alert(1)&lt;" in text
    assert "default-src 'none'" in text


def test_a_name_cannot_steer_the_terminal(tmp_path: Path, draw_fundus: Callable[..., np.ndarray]) -> None:
    for folder in ("AMD", "NORMAL"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "x.jpg"), draw_fundus(120, 150))
        os.rename(tmp_path / folder / "x.jpg", tmp_path / folder / os.fsdecode(b"\x1b[2J\xff.jpg"))
    text = table(audit(tmp_path))
    assert "?[2J?.jpg" in text
    text.encode("utf-8")


def test_a_warning_on_a_file_called_unreadable_is_a_note(
    tmp_path: Path, draw_fundus: Callable[..., np.ndarray]
) -> None:
    for folder in ("AMD", "NORMAL"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "x_1_R.jpg"), draw_fundus(120, 150, seed=len(folder)))
        (tmp_path / folder / "x_2_R.jpg").write_bytes(b"no photograph")
    cv2.imwrite(str(tmp_path / "unreadable_1.jpg"), draw_fundus(120, 150))
    notes = audit(tmp_path).notes
    assert any("unreadable_1.jpg" in note for note in notes)
    assert not any("unreadable files are left out" in note for note in notes)


def test_a_class_called_all_has_its_column(tmp_path: Path, draw_fundus: Callable[..., np.ndarray]) -> None:
    for folder in ("all", "none"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            name = tmp_path / folder / f"Wide_{folder}_{number}_R.jpg"
            cv2.imwrite(str(name), draw_fundus(120, 150, seed=number + len(folder)))
    assert "<th>all</th><th>none</th>" in page(audit(tmp_path))


def test_korean_names_take_two_columns_each() -> None:
    assert fit("가" * 50) == "가" * 50
    assert fit("가" * 51) == "가" * 48 + "..."
    assert fit("a" * 101) == "a" * 97 + "..."


@pytest.mark.parametrize("word", ["retinopathy", "망막병증"])
def test_a_long_note_is_wrapped_under_itself_and_whole(dataset: Path, word: str) -> None:
    note = " ".join([word] * 30)
    lines = table(replace(audit(dataset), notes=(note,))).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("note: ")))
    assert " ".join(line.strip() for line in lines[start:]) == f"note: {note}"
    assert all(line.startswith("      ") and columns(line) <= WIDTH for line in lines[start + 1 :])


def test_names_of_files_stand_in_composed_letters() -> None:
    assert clean(unicodedata.normalize("NFD", "사진 5.JPG")) == "사진 5.JPG"


def test_blurred_photographs_are_detected_by_the_distribution_of_the_set() -> None:
    rng = np.random.default_rng(0)
    sharpness = np.exp(rng.normal(4, 0.3, 500))
    sharpness[7] = np.exp(4 - 5 * 0.3)
    assert blurred(sharpness)[7] and blurred(sharpness).mean() < 0.05
    assert (blurred(sharpness) == blurred(sharpness * 50)).mean() > 0.99
    assert not blurred(np.full(9, 3.0)).any() and len(blurred(np.zeros(0))) == 0


def test_progress_names_the_time_that_is_left() -> None:
    assert progress_line("reading", 50, 200, 100.0) == "reading: 50 of 200 in 1:40, 5:00 left"
    assert progress_line("reading", 200, 200, 40.0) == "reading: 200 of 200 in 0:40"


def test_photographs_that_cannot_be_decoded_at_all_are_refused(tmp_path: Path) -> None:
    for folder in ("AMD", "NORMAL"):
        (tmp_path / folder).mkdir()
        # A header and an end with nothing between.
        frame = b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x10\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x08\xff\xd9"
        (tmp_path / folder / "a.jpg").write_bytes(frame)
    with pytest.raises(CatalogError, match="none of its 2 photographs can be decoded"):
        audit(tmp_path)


def test_the_real_set_comes_out_as_known(fundus_photographs: Path, tmp_path: Path) -> None:
    pytest.importorskip("imagehash")
    root = fundus_photographs / "MEX_FUNDUS"
    # Each of these two is one eye under two numbers, as its vessels show.
    known = {"Mex_DMR_0730_L.jpg", "Mex_DMR_1082_L.jpg", "Mex_DMR_0488_R.jpg", "7495aeedb601.jpg"}
    for folder in ("train/train_data/NORMAL", "train/train_data/DMR", "test/test_data"):
        (tmp_path / folder).mkdir(parents=True)
        paths = sorted((root / folder).iterdir())
        # A third of them is enough, and three times as fast.
        for path in {*paths[::3], *(path for path in paths if path.name in known)}:
            (tmp_path / folder / path.name).symlink_to(path.resolve())
    result = audit(tmp_path)
    groups = {finding.name: [[p.name for p in group] for group in finding.groups] for finding in result.findings}
    assert groups["unreadable"] == groups["text burned in"] == groups["in two classes"] == []
    assert len(groups["almost black"]) >= 5
    assert groups["near, across patients"] == [["Mex_DMR_0730_L.jpg", "Mex_DMR_1082_L.jpg"]]
    assert groups["near, train and test"] == [["Mex_DMR_0488_R.jpg", "7495aeedb601.jpg"]]
    assert result.probes["colours"].auc.low > 0.6


def test_a_named_pipe_gets_no_picture_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Cam_NOR_1_R.jpg")
    assert picture(tmp_path / "Cam_NOR_1_R.jpg") is None


def test_a_folder_of_datasets_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("KHD4", "ODIR"):
        (tmp_path / name / "train" / "train_data" / "NORMAL").mkdir(parents=True)
    assert main(["audit", str(tmp_path), "--out", str(tmp_path / "page")]) == 2
    assert f"{tmp_path} holds datasets (KHD4, ODIR); give the folder of one" in capsys.readouterr().err

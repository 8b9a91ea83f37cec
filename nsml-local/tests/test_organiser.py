"""Datasets that bring `evaluation/data_loader.py` and `evaluation/evaluation.py`."""

from pathlib import Path

import psutil
import pytest
from helpers import Nsml, make_dataset, start_and_wait, wait_until

LOADER = """
import os
from nsml import DATASET_PATH
import cv2


def feed_infer(output_file, infer_func):
    root = os.path.join(DATASET_PATH, "test")
    names = sorted(os.listdir(os.path.join(root, "test_data")))
    images = [cv2.imread(os.path.join(root, "test_data", name)) for name in names]
    predictions = infer_func(images)
    with open(output_file, "w") as file:
        for name, prediction in zip(names, predictions):
            file.write(f"test_data,{name},{prediction}\\n")
"""
EVALUATION = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", default="pred.txt")
config = parser.parse_args()
labels = [line.split(",") for line in open("data/FUNDUS/test/test_label")]
predictions = [line.split(",") for line in open(config.prediction)]
print("checked", len(labels))
print(sum(a == b for a, b in zip(labels, predictions)) / len(labels))
"""


def _push(nsml: Nsml, folder: Path, loader: str = LOADER, evaluation: str = EVALUATION) -> None:
    source = make_dataset(folder / "source")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "data_loader.py").write_text(loader)
    (source / "evaluation" / "evaluation.py").write_text(evaluation)
    assert nsml("dataset", "push", "FUNDUS", str(source)).status == 0


def test_the_organisers_scripts_are_used_unchanged(nsml: Nsml, tmp_path: Path) -> None:
    _push(nsml, tmp_path)
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines() == ["Score: 1", "Done"]


def test_a_data_loader_of_the_competitor_does_not_stand_in_for_the_organisers(
    nsml: Nsml, tmp_path: Path, project: Path
) -> None:
    _push(nsml, tmp_path)
    (project / "data_loader.py").write_text("MINE = 1\n")
    (project / "main.py").write_text(
        "import data_loader\nassert data_loader.MINE\n" + (project / "main.py").read_text()
    )
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


def test_labels_are_passed_to_a_scorer_that_asks_for_their_path(nsml: Nsml, tmp_path: Path) -> None:
    asks = EVALUATION.replace("config =", "parser.add_argument('--test_label_path')\nconfig =")
    _push(nsml, tmp_path, evaluation=asks.replace('"data/FUNDUS/test/test_label"', "config.test_label_path"))
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


def test_a_scorer_that_only_speaks_of_a_label_path_is_not_given_one(nsml: Nsml, tmp_path: Path) -> None:
    speaks = "# test_label_path = 'data/x/test/test_label'\n# parser.add_argument('--test_label_path')\ntest_label_path = 1\n"
    _push(nsml, tmp_path, evaluation=speaks + EVALUATION)
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


def test_a_scorer_finds_the_labels_through_dataset_path_too(nsml: Nsml, tmp_path: Path) -> None:
    code = EVALUATION.replace('"data/FUNDUS/test/test_label"', "nsml.DATASET_PATH + '/test/test_label'")
    _push(nsml, tmp_path, evaluation="import nsml\n" + code)
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        (
            "raise ValueError('labels moved')",
            "organiser's evaluation.py failed (exit status 1): ValueError: labels moved",
        ),
        ("print('no score today')", "organiser's evaluation.py printed no number"),
        ("print(float('nan'))", "organiser's evaluation.py printed nan as the score"),
    ],
)
def test_a_failing_scorer_is_not_blamed_on_the_competitors_program(
    nsml: Nsml, tmp_path: Path, evaluation: str, message: str
) -> None:
    _push(nsml, tmp_path, evaluation=evaluation)
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and f"submit failed at score: the {message}" in failed.err


def test_a_score_of_exactly_zero_comes_with_a_warning(nsml: Nsml, tmp_path: Path) -> None:
    _push(nsml, tmp_path, evaluation="import sys; print('oops', file=sys.stderr); print(0)")
    submitted = nsml("submit", start_and_wait(nsml), "best")
    assert (
        submitted.out.startswith("Score: 0\n")
        and "warning: a score of exactly 0: evaluation.py printed: oops" in submitted.err
        and "oops" in submitted.err
    )


def test_four_rows_do_not_win_against_a_scorer_that_counts_rows(nsml: Nsml, tmp_path: Path) -> None:
    _push(nsml, tmp_path, loader=LOADER.replace("zip(names, predictions)", "list(zip(names, predictions))[:1]"))
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and "submit failed at predictions: 1 lines for 4 images" in failed.err


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ("import no_such_module", "data_loader.py cannot be imported: ModuleNotFoundError"),
        ("x = 1", "has no feed_infer"),
        ("def feed_infer(output_file, infer_func): pass", "wrote no prediction file"),
    ],
)
def test_a_failing_loader_is_not_blamed_on_the_competitors_program(
    nsml: Nsml, tmp_path: Path, loader: str, message: str
) -> None:
    _push(nsml, tmp_path, loader=loader)
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and "the organiser's" in failed.err and message in failed.err


def test_the_organisers_scorer_does_not_lie_where_the_competitors_process_looks(
    nsml: Nsml, tmp_path: Path, home: Path
) -> None:
    _push(nsml, tmp_path)
    assert [p.name for p in (home / "datasets" / "FUNDUS" / "feed").iterdir()] == ["data_loader.py"]


def test_of_the_files_beside_the_loader_only_those_that_it_names_lie_where_the_competitors_process_looks(
    nsml: Nsml, tmp_path: Path, home: Path
) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "evaluation" / "vocabulary").mkdir(parents=True)
    for name, text in (
        ("evaluation.py", "answers.json"),
        ("data_loader.py", "open('vocabulary/a.txt')"),
        ("answers.json", "1"),
    ):
        (source / "evaluation" / name).write_text(text)
    nsml("dataset", "push", "FUNDUS", str(source))
    feed = home / "datasets" / "FUNDUS" / "feed"
    assert sorted(p.name for p in feed.iterdir()) == ["data_loader.py", "vocabulary"]


def test_a_word_in_a_loaders_docstring_hands_no_file_to_programs(nsml: Nsml, tmp_path: Path, home: Path) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "data_loader.py").write_text(f'"""It writes the answers to answers.csv."""{LOADER}')
    (source / "evaluation" / "answers.csv").write_text("1\n")
    assert nsml("dataset", "push", "FUNDUS", str(source)).err == ""
    assert [p.name for p in (home / "datasets" / "FUNDUS" / "feed").iterdir()] == ["data_loader.py"]


def test_a_file_is_used_by_its_whole_name_and_a_module_by_its_stem(nsml: Nsml, tmp_path: Path, home: Path) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "evaluation").mkdir()
    for name, text in (
        ("data_loader.py", "import means\nprint('sizes')\n"),
        ("sizes.csv", "1"),
        ("deviations.npy", "1"),
    ):
        (source / "evaluation" / name).write_text(text)
    (source / "evaluation" / "means.py").write_text("open('/x/deviations.npy')\n")
    assert "its loader uses deviations.npy, means.py, which" in nsml("dataset", "push", "FUNDUS", str(source)).out


@pytest.mark.parametrize(("name", "content"), [("y_test.csv", "1\n"), ("means.csv", None)])
def test_a_file_like_labels_that_the_loader_uses_is_refused_where_labels_are_out_of_reach(
    nsml: Nsml, tmp_path: Path, can_isolate: None, name: str, content: str | None
) -> None:
    source = make_dataset(tmp_path / "source")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "data_loader.py").write_text(f"open('/x/{name}')\n")
    same = (source / "test" / "test_label").read_text().replace("test_data,", "")
    (source / "evaluation" / name).write_text(content or f"file,label\n{same}")
    refused = nsml("dataset", "push", "FUNDUS", str(source), "--isolate")
    line = f"evaluation/{name} looks like labels, and programs can read it, as data_loader.py uses it; take its name"
    assert refused.status == 2 and f"--isolate: {line}" in refused.err
    assert nsml("dataset", "push", "FUNDUS", str(source)).err.startswith(f"warning: {line}")


PATHS = """
import os
from nsml.constants import DATASET_PATH


def feed_infer(output_file, infer_func):
    {call}
    with open(output_file, "w") as file:
        for name, prediction in zip(sorted(os.listdir(DATASET_PATH + "/test/test_data")), predictions):
            file.write(f"test_data,{{name}},{{prediction}}\\n")
"""
READS = "import cv2, glob, os; return [int(cv2.imread(p).mean()) % 4 for p in {paths}]"
SHAPES = {
    "a folder": ("predictions = infer_func(DATASET_PATH + '/test')", "sorted(glob.glob(data + '/test_data/*'))"),
    "a list of paths": (
        "import glob; predictions = infer_func(sorted(glob.glob(DATASET_PATH + '/test/test_data/*')))",
        "data",
    ),
    "one path a call": (
        "import glob; predictions = [infer_func(p)[0] for p in sorted(glob.glob(DATASET_PATH + '/test/test_data/*'))]",
        "[data]",
    ),
    "a root and a phase": (
        "predictions = infer_func(DATASET_PATH, 'test')",
        "sorted(glob.glob(f'{data}/{phase}/test_data/*'))",
    ),
    "two lists": (
        "import glob; a = sorted(glob.glob(DATASET_PATH + '/test/test_data/*')); predictions = infer_func(a[:2], a[2:])",
        "[*data, *phase]",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_infer_gets_what_the_organisers_loader_hands_it(nsml: Nsml, tmp_path: Path, project: Path, shape: str) -> None:
    call, paths = SHAPES[shape]
    _push(nsml, tmp_path, loader=PATHS.format(call=call))
    program = (project / "main.py").read_text()
    program = program.replace("def infer(data, **kwargs)", "def infer(data, phase=None, **kwargs)")
    program = program.replace("return [int(image.mean()) % 4 for image in data]", READS.format(paths=paths))
    (project / "main.py").write_text(program)
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


LOADER_2018 = """
import glob, os


def test_data_loader(root):
    paths = sorted(glob.glob(os.path.join({folder}, "*")))
    if not paths:
        raise FileNotFoundError(root)
    return {returned}
"""


@pytest.mark.parametrize("folder", ["root, 'test', 'test_data'", "root, 'test_data'"])
@pytest.mark.parametrize(("returned", "signature"), [("paths", "paths"), ("(paths, len(paths))", "paths, count")])
def test_a_loader_of_2018_hands_infer_what_it_loads(
    nsml: Nsml, tmp_path: Path, project: Path, folder: str, returned: str, signature: str
) -> None:
    evaluation = "import sys\nprint(sum(a.split(',')[2] == b for a, b in zip(open('data/FUNDUS/test/test_label'), open(sys.argv[2]))) / 4)"
    _push(nsml, tmp_path, loader=LOADER_2018.format(folder=folder, returned=returned), evaluation=evaluation)
    (project / "main.py").write_text(
        "import argparse, cv2, nsml\n"
        f"def infer({signature}): return [(0.5, int(cv2.imread(p).mean()) % 4) for p in paths]\n"
        "nsml.bind(lambda d: None, lambda d: None, infer)\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--mode', default='train'); parser.add_argument('--pause', type=int, default=0)\n"
        "args = parser.parse_args()\n"
        "if args.pause: nsml.paused(scope=locals())\n"
        "nsml.save('best')\n"
    )
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


def test_labels_with_an_absolute_path_are_read(nsml: Nsml, tmp_path: Path) -> None:
    rooted = EVALUATION.replace('"data/FUNDUS', '"/data/FUNDUS')
    looks = "\nimport glob, os\npath = '/data/FUNDUS/test/test_label'\n"
    looks += "assert os.path.exists(path) and glob.glob(path) == [path] and os.access(path, os.R_OK)\n"
    _push(nsml, tmp_path, evaluation=looks + rooted)
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 1"


def test_the_batch_size_is_handed_to_a_loader_that_takes_one(nsml: Nsml, tmp_path: Path) -> None:
    loader = LOADER.replace("infer_func):", "infer_func, batch_size=1):").replace(
        "predictions =", "print('BATCH', batch_size)\n    predictions ="
    )
    _push(nsml, tmp_path, loader=loader)
    nsml("submit", "-t", start_and_wait(nsml), "best", "-b", "7")
    assert "BATCH 7" in nsml("logs", "FUNDUS/2").out


def test_what_infer_returned_is_named_where_the_loader_cannot_use_it(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    _push(nsml, tmp_path)
    (project / "main.py").write_text(
        (project / "main.py").read_text().replace("return [int(image.mean()) % 4 for image in data]", "return 5")
    )
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and "could not use what infer returned, a int: TypeError" in failed.err


def test_an_error_in_infer_is_not_blamed_on_the_organiser(nsml: Nsml, tmp_path: Path, project: Path) -> None:
    _push(nsml, tmp_path)
    (project / "main.py").write_text(
        (project / "main.py").read_text().replace("return [int(image.mean()) % 4 for image in data]", "return 1 / 0")
    )
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert (
        "submit failed at infer: ZeroDivisionError" in failed.err
        and "main.py, line" in failed.err
        and "organiser" not in failed.err
    )


def test_the_error_that_a_scorer_caught_is_shown_with_its_line(nsml: Nsml, tmp_path: Path) -> None:
    evaluation = "def score():\n    return 'a'.item()\ntry:\n    score()\nexcept Exception:\n    print(999999)\n"
    _push(nsml, tmp_path, evaluation=evaluation)
    submitted = nsml("submit", start_and_wait(nsml), "best")
    assert "Score: 999999" in submitted.out
    assert "evaluation.py caught AttributeError: 'str' object has no attribute 'item' (line 2)" in submitted.err


def test_a_scorer_that_names_another_dataset_gets_this_one_with_a_warning(nsml: Nsml, tmp_path: Path) -> None:
    _push(nsml, tmp_path, evaluation=EVALUATION.replace("data/FUNDUS", "data/KHD2019_FUNDUS"))
    submitted = nsml("submit", start_and_wait(nsml), "best")
    assert "Score: 1" in submitted.out and "names the dataset KHD2019_FUNDUS; FUNDUS is used instead" in submitted.err


def test_the_output_of_a_failing_scorer_is_stored_and_its_line_named(nsml: Nsml, tmp_path: Path, home: Path) -> None:
    _push(nsml, tmp_path, evaluation="print('before')\n\n{}['x']\n")
    assert "KeyError: 'x' (line 3)" in nsml("submit", start_and_wait(nsml), "best").err
    assert (home / "submissions" / "FUNDUS" / "1" / "scorer.txt").read_text().startswith("before\nTraceback")


def test_a_process_that_a_scorer_leaves_behind_delays_nobody(nsml: Nsml, tmp_path: Path) -> None:
    leaves = "import subprocess\nleft = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
    _push(nsml, tmp_path, evaluation=f"{leaves}open({str(tmp_path / 'pid')!r}, 'w').write(str(left.pid))\n{EVALUATION}")
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines() == ["Score: 1", "Done"]
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(pid))


def test_of_a_scorer_that_prints_without_end_the_last_megabyte_is_stored(
    nsml: Nsml, tmp_path: Path, home: Path
) -> None:
    endless = "import sys\nfor n in range(50):\n    print('x' * 100_000)\nsys.exit('y' * 5000)\n"
    _push(nsml, tmp_path, evaluation=endless)
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and 1000 <= failed.err.count("y") < 1100
    stored = (home / "submissions" / "FUNDUS" / "1" / "scorer.txt").read_text()
    assert stored.startswith("(the first 3,951,474 bytes are left out)\n") and len(stored) < 1_100_000


def test_a_score_before_the_last_megabyte_of_output_is_not_read_from_what_stands_in_its_place(
    nsml: Nsml, tmp_path: Path
) -> None:
    # Of the number, "75" is within the last megabyte.
    _push(nsml, tmp_path, evaluation="print('0.75 ' + 'x' * ((1 << 20) - 4))\n")
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and "printed no number in the last 1,048,576 bytes of its output" in failed.err


def test_labels_may_be_a_folder_that_the_organisers_scorer_reads(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "labels")
    (source / "test" / "test_label").unlink()
    (source / "test" / "test_label").mkdir()
    (source / "test" / "test_label" / "all.txt").write_text("7")
    (source / "evaluation").mkdir()
    (source / "evaluation" / "evaluation.py").write_text("print(open('data/LABELS/test/test_label/all.txt').read())\n")
    assert "hidden labels, its own scorer" in nsml("dataset", "push", "LABELS", str(source)).out
    assert "Score: 7" in nsml("submit", start_and_wait(nsml, dataset="LABELS"), "best").out


def test_a_dry_run_of_predictions_that_are_no_text_says_so(nsml: Nsml, tmp_path: Path) -> None:
    loader = "def feed_infer(output_file, infer_func):\n    open(output_file, 'wb').write(b'PK\\0\\xff' * 10)\n"
    _push(nsml, tmp_path, loader=loader)
    assert nsml("submit", "-t", start_and_wait(nsml), "best").out.startswith("(a binary file of 40 bytes)\n")


def test_a_path_without_a_dot_leads_to_a_dataset_of_a_home_with_one(
    nsml: Nsml, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSML_HOME", str(tmp_path / ".local" / "nsml"))
    nsml("dataset", "push", "FUNDUS", str(make_dataset(tmp_path / "plain")))
    (project / "show.py").write_text("import nsml, os; print(nsml.DATASET_PATH, os.listdir(nsml.DATASET_PATH))")
    path, names = nsml("logs", start_and_wait(nsml, "-e", "show.py")).out.splitlines()[0].split(" ", 1)
    assert "." not in path and path.endswith("/FUNDUS") and names == "['train']"

"""`nsml check`, which `nsml run` calls too, and `nsml doctor`."""

import json
from pathlib import Path

import pytest
from helpers import Nsml, lose, make_dataset, wait_until

from nsml.store.home import open_home
from nsml.store.names import SessionName
from nsml.store.sessions import find_session


def test_a_project_in_the_usual_shape_is_ok(nsml: Nsml, dataset: str) -> None:
    checked = nsml("check", "-d", dataset)
    assert checked.status == 0 and "ok: main.py can be submitted" in checked.out and "ok: dataset FUNDUS" in checked.out


CASES = {
    "no bind": ("nsml.bind(save=save, load=load, infer=infer)", "pass", "nsml.bind is never called", 0),
    "no paused": ("nsml.paused(scope=locals())", "pass", "nsml.paused is never called", 0),
    "paused first": (
        'model = {"epoch": -1}\nbind_model(model)\nif args.pause or args.mode == "test":\n    nsml.paused(scope=locals())\n',
        'model = {"epoch": -1}\nif args.pause:\n    nsml.paused(scope=locals())\nbind_model(model)\n',
        "nsml.paused is called before nsml.bind (line 32)",
        31,
    ),
    "no --mode": ('parser.add_argument("--mode", default="train")\n', "args_mode = ''\n", "does not accept --mode", 0),
    "--mode of the wrong type": (
        '"--mode", default="train"',
        '"--mode", type=int, default=0',
        "--mode has the type int",
        24,
    ),
    "--mode of the wrong type behind a short name": (
        '"--mode", default="train"',
        '"-m", "--mode", type=int, default=0',
        "--mode has the type int",
        24,
    ),
    "--pause without a value": (
        '"--pause", type=int, default=0',
        '"--pause", action="store_true"',
        "--pause takes no value",
        25,
    ),
    "--pause without a value behind a short name": (
        '"--pause", type=int, default=0',
        '"-p", "--pause", action="store_true"',
        "--pause takes no value",
        25,
    ),
    "not Python 3": ('print("epoch", epoch)', "print 'epoch'", "is not Python 3", 36),
}


@pytest.mark.parametrize("case", CASES)
def test_what_would_fail_at_submit_is_named_with_file_and_line(nsml: Nsml, project: Path, case: str) -> None:
    old, new, message, line = CASES[case]
    program = (project / "main.py").read_text()
    assert old in program
    (project / "main.py").write_text(program.replace(old, new))
    checked = nsml("check")
    place = f"error: main.py, line {line}: " if line else "error: main.py: "
    (finding,) = [text for text in checked.out.splitlines() if text.startswith("error: ")]
    assert checked.status == 1 and finding.startswith(place) and message in finding


WARNINGS = {
    "--pause without a type": ('"--pause", type=int, default=0', '"--pause", default=0', "--pause has no type=int", 25),
    "--iteration of int": (
        '"--iteration", default="0"',
        '"--iteration", type=int, default=0',
        "named 'best' cannot",
        26,
    ),
    "--pause without a type behind a short name": (
        '"--pause", type=int, default=0',
        '"-p", "--pause", default=0',
        "--pause has no type=int",
        25,
    ),
    "--iteration of int behind a short name": (
        '"--iteration", default="0"',
        '"-i", "--iteration", type=int, default=0',
        "named 'best' cannot",
        26,
    ),
    "test data first": (
        'model = {"epoch": -1}\n',
        'model = {"epoch": -1}\nos.listdir(os.path.join(nsml.DATASET_PATH, "test", "test_data"))\n',
        "the test data are named before nsml.paused",
        30,
    ),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_what_may_fail_is_a_warning(nsml: Nsml, project: Path, case: str) -> None:
    old, new, message, line = WARNINGS[case]
    program = (project / "main.py").read_text()
    assert old in program
    (project / "main.py").write_text(program.replace(old, new))
    checked = nsml("check")
    (finding,) = [text for text in checked.out.splitlines() if text.startswith("warning: ")]
    assert checked.status == 0 and finding.startswith(f"warning: main.py, line {line}: ") and message in finding


def test_a_module_that_nsmlignore_leaves_out_is_named_where_it_is_imported(nsml: Nsml, project: Path) -> None:
    (project / "helper.py").write_text("")
    (project / "lib").mkdir()
    (project / "lib" / "__init__.py").write_text("")
    (project / "main.py").write_text("import helper\nfrom lib import x\n" + (project / "main.py").read_text())
    (project / ".nsmlignore").write_text("helper.py\nlib/\n")
    output = nsml("check").out
    assert "error: main.py, line 1: imports helper, but .nsmlignore leaves helper.py out" in output
    assert "error: main.py, line 2: imports lib, but .nsmlignore leaves lib/__init__.py out" in output


def test_a_large_file_is_named(nsml: Nsml, project: Path) -> None:
    with open(project / "large.bin", "wb") as file:
        file.truncate(600 * 1024 * 1024)
    assert "warning: large.bin: is larger than 500 MB and is not copied to the session" in nsml("check").out


def test_a_helper_in_another_file_may_call_bind(nsml: Nsml, project: Path) -> None:
    (project / "hooks.py").write_text(
        "import nsml\nclass Trainer:\n    def setup(self):\n        nsml.bind(save=print)\n"
    )
    (project / "main.py").write_text(
        "import argparse, nsml\nfrom hooks import Trainer\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--mode')\nparser.add_argument('--pause', type=int)\n"
        "args = parser.parse_args()\ntrainer = Trainer()\ntrainer.setup()\nif args.pause:\n    nsml.paused(scope=locals())\n"
    )
    checked = nsml("check")
    assert checked.status == 0 and "ok: main.py can be submitted" in checked.out


def test_run_prints_the_findings_as_warnings_and_starts(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "bare.py").write_text("print('hello')\n")
    started = nsml("run", "-d", dataset, "-e", "bare.py")
    assert started.status == 0 and "warning: bare.py: nsml.bind is never called" in started.err


def test_findings_are_json_for_programs(nsml: Nsml, project: Path) -> None:
    (project / "main.py").write_text("import nsml\n")
    (finding,) = json.loads(nsml("check", "-j").out)
    assert finding["file"] == "main.py" and finding["certain"] is True


def test_the_dataset_is_looked_at_with_json_too(nsml: Nsml, dataset: str) -> None:
    checked = nsml("check", "-d", dataset, "-j")
    assert (checked.status, checked.out, checked.err) == (0, "[]\n", "ok: dataset FUNDUS accepts submissions\n")
    missing = nsml("check", "-d", "FUNDOS", "-j")
    assert missing.status == 2 and missing.out == "" and "no dataset FUNDOS" in missing.err


def test_a_dataset_without_labels_accepts_submissions_where_a_referee_has_them(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "d")
    (source / "test" / "test_label").unlink()
    nsml("dataset", "push", "BARE", str(source))
    assert "warning: dataset BARE has no labels, so only 'nsml submit -t' works" in nsml("check", "-d", "BARE").out
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "rules.toml").write_text("")
    nsml("dataset", "push", "SENT", str(source), "--referee", str(spool))
    assert "ok: dataset SENT accepts submissions" in nsml("check", "-d", "SENT").out


def test_a_machine_in_order_is_ok(nsml: Nsml, trained: str) -> None:
    looked = nsml("doctor")
    assert looked.status == 0 and all(line.startswith("ok ") for line in looked.out.splitlines())


def test_doctor_says_how_to_fix_a_lost_session(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "sleep.py").write_text("import time; time.sleep(60)")
    nsml("run", "-d", dataset, "-e", "sleep.py")
    session = find_session(open_home(), SessionName("tester", dataset, 1))
    wait_until(lambda: session.status() == "Running")
    lose(session)
    looked = nsml("doctor")
    assert looked.status == 1 and "session tester/FUNDUS/1 is lost: nsml resume tester/FUNDUS/1" in looked.out


def test_doctor_names_photographs_whose_source_is_gone(nsml: Nsml, dataset: str, home: Path) -> None:
    photograph = next((home / "datasets" / dataset / "training").rglob("*.jpg"))
    photograph.unlink()
    photograph.symlink_to("/nonexistent.jpg")
    assert ": 1 file; push it again" in nsml("doctor").out


def test_doctor_names_a_damaged_checkpoint_and_leftovers(nsml: Nsml, trained: str, home: Path) -> None:
    folder = home / "sessions" / trained / "checkpoints"
    (next(folder.glob("best@*")) / "checkpoint.json").write_text("{")
    (folder / ".tmp-999999999-abc").mkdir()
    output = nsml("doctor").out
    assert "is damaged" in output and "1 temporary files of ended processes" in output


def test_a_module_that_nothing_provides_is_a_warning(nsml: Nsml, project: Path) -> None:
    (project / "main.py").write_text("import torchvision_of_old\n" + (project / "main.py").read_text())
    assert "warning: main.py, line 1: imports torchvision_of_old, which is not installed" in nsml("check").out


def test_a_stand_in_for_nsml_beside_the_program_is_no_fault(nsml: Nsml, project: Path) -> None:
    (project / "nsml").mkdir()
    (project / "nsml" / "__init__.py").write_text("DATASET_PATH = './data'\n")
    checked = nsml("check")
    assert checked.status == 0 and ".nsmlignore" not in checked.out


@pytest.mark.parametrize(
    ("encoding", "line", "message"),
    [("cp949", 1, "is CP949, not UTF-8; save it as UTF-8"), ("utf-16", 0, "contains zero bytes, as UTF-16 does")],
)
def test_a_source_in_another_encoding_than_python_takes_it_for_is_named(
    nsml: Nsml, project: Path, encoding: str, line: int, message: str
) -> None:
    (project / "main.py").write_text("# 안저 사진\n" + (project / "main.py").read_text(), encoding=encoding)
    place = f"error: main.py, line {line}: " if line else "error: main.py: "
    assert f"{place}{message}" in nsml("check").out


def test_a_source_in_cp949_that_says_so_is_read(nsml: Nsml, project: Path) -> None:
    program = "# -*- coding: cp949 -*-\n# 안저 사진\n" + (project / "main.py").read_text()
    (project / "main.py").write_text(program, encoding="cp949")
    assert nsml("check").status == 0


# What stands before `nsml.paused`, and the line of it that reads training data, 0 where none does.
BEFORE_PAUSED = {
    "a file": ("rows = open(nsml.DATASET_PATH + '/train/train_label').read()", 1),
    "a path alone": ("root = os.path.join(nsml.DATASET_PATH, 'train')", 0),
    "a path of a path": (
        "root = os.path.join(nsml.DATASET_PATH, 'train')\nnames = os.listdir(os.path.join(root, 'train_data'))",
        2,
    ),
    "while training": ("if args.mode == 'train':\n    rows = open(nsml.DATASET_PATH + '/train/train_label')", 0),
    "a function": ("def read():\n    return open(f'{nsml.DATASET_PATH}/train/train_label')\nrows = read()", 3),
    "a module": ("import rows\nall_rows = rows.read()", 2),
    "a look for the folder": ("import pathlib\nthere = (pathlib.Path(nsml.DATASET_PATH) / 'train').is_dir()", 0),
    "a hook": ("def infer(data):\n    return open(f'{nsml.DATASET_PATH}/train/train_label')", 0),
}


@pytest.mark.parametrize("case", BEFORE_PAUSED)
def test_training_data_read_before_paused_are_named_with_the_line(nsml: Nsml, project: Path, case: str) -> None:
    code, line = BEFORE_PAUSED[case]
    program = (project / "main.py").read_text()
    at = program.index("if args.pause")
    (project / "rows.py").write_text(
        "import nsml\ndef read():\n    return open(nsml.DATASET_PATH + '/train/train_label')\n"
    )
    (project / "main.py").write_text(f"{program[:at]}{code}\n{program[at:]}")
    findings = [text for text in nsml("check").out.splitlines() if "training data" in text]
    place = (
        f"warning: main.py, line {program[:at].count(chr(10)) + line}: the training data are read before nsml.paused"
    )
    assert len(findings) == bool(line) and all(text.startswith(place) for text in findings)


def test_a_module_with_a_name_too_long_for_a_file_is_missing_like_any_other(nsml: Nsml, project: Path) -> None:
    (project / "main.py").write_text(f"import a{'9' * 300}\n{(project / 'main.py').read_text()}")
    checked = nsml("check")
    assert checked.status == 0 and f"imports a{'9' * 300}, which is n" in checked.out

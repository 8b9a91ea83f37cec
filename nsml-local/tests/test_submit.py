"""`nsml submit` and the leaderboard."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait, start_for_ctrl_c, wait_until

from nsml.store.files import read_json, write_json
from nsml.store.home import open_home
from nsml.store.submissions import open_submission, record_score


def test_a_submit_prints_the_score_and_done(nsml: Nsml, trained: str) -> None:
    submitted = nsml("submit", trained, "best")
    assert submitted.out.splitlines() == ["Score: 100.010001", "Done"] and submitted.status == 0


def test_a_submit_says_how_long_loading_and_predicting_took(nsml: Nsml, trained: str) -> None:
    errors = nsml("submit", trained, "best").err
    assert "load nsml model takes" in errors and ".Infer test set takes" in errors


def test_a_submit_that_ctrl_c_ends_is_listed_as_interrupted(
    nsml: Nsml, trained: str, project: Path, tmp_path: Path
) -> None:
    slow = (project / "main.py").read_text().replace("return [int", "import time; time.sleep(60)\n        return [int")
    (project / "main.py").write_text(slow)
    command = [sys.executable, "-m", "nsml", "submit", start_and_wait(nsml), "best"]
    started = start_for_ctrl_c(command, project, tmp_path / "out")
    wait_until(lambda: ".Infer test set" in (tmp_path / "out").read_text())
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130 and (tmp_path / "out").read_text().endswith("\nnsml: interrupted\n")
    (own,) = json.loads(nsml("dataset", "board", "--mine", "-j", "FUNDUS").out)
    assert own["error"] == "the submit was interrupted"


def test_a_submission_is_on_the_board(nsml: Nsml, trained: str) -> None:
    nsml("submit", trained, "best")
    (row,) = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert (row["rank"], row["user"], row["score"], row["session"], row["checkpoint"], row["submissions"]) == (
        1, "tester", 100.010001, trained, "best", 1,
    )  # fmt: skip


def test_a_dry_run_shows_predictions_of_files_with_names_in_no_encoding(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source")
    folder = source / "test" / "test_data"
    first, second, *_ = sorted(folder.iterdir())
    first.rename(folder / os.fsdecode(b"000\xbe\xc8.png"))
    second.rename(folder / "001\u2028.png")
    assert nsml("dataset", "push", "NAMES", str(source)).status == 0
    shown = nsml("submit", "-t", start_and_wait(nsml, dataset="NAMES"), "best").out.split("\n")
    assert shown[:2] == [r"test_data,000\udcbe\udcc8.png,0 (NORMAL)", "test_data,001\u2028.png,1 (AMD)"]
    assert len(shown) == 7


def test_the_checkpoint_named_is_the_one_that_is_loaded(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "model['epoch']"))
    name = start_and_wait(nsml, "-a", "--epoch 4")
    shown = nsml("submit", "-t", name, "2").out
    assert [line.rpartition(",")[2] for line in shown.splitlines()[:4]] == ["2 (RVO)"] * 4


def test_a_dry_run_shows_the_first_ten_predictions_and_leaves_the_board_alone(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "BIG", str(make_dataset(tmp_path / "big", labels=[0, 1, 2] * 4)))
    name = start_and_wait(nsml, dataset="BIG")
    dry = nsml("submit", name, "best", "-t")
    assert dry.out.splitlines()[:3] == [
        "test_data,000.png,0 (NORMAL)",
        "test_data,001.png,1 (AMD)",
        "test_data,002.png,2 (RVO)",
    ]
    assert len([line for line in dry.out.splitlines() if line.startswith("test_data")]) == 10
    assert json.loads(nsml("dataset", "board", "-j", "BIG").out) == []


def test_a_dry_run_keeps_its_session_for_logs(nsml: Nsml, trained: str) -> None:
    nsml("submit", "-t", trained, "best")
    assert "Infer test set takes" in nsml("logs", "FUNDUS/2").out


def test_a_submit_sees_the_test_data_without_labels_and_no_training_data(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    walk = "\n    for r, _, f in os.walk(nsml.DATASET_PATH): print(r, f)\n    nsml.paused("
    program = (project / "main.py").read_text().replace("\n    nsml.paused(", walk)
    (project / "main.py").write_text(program)
    name = start_and_wait(nsml)
    nsml("submit", "-t", name, "best")
    seen = nsml("logs", "FUNDUS/2").out
    assert "test_data" in seen and "test_label" not in seen and "train" not in seen


def test_a_dot_dot_from_the_test_photographs_does_not_lead_to_the_labels(
    nsml: Nsml, dataset: str, project: Path, tmp_path: Path
) -> None:
    peek = (
        "\n    print('LABELS', os.path.exists(nsml.DATASET_PATH + '/test/test_data/../test_label'))\n    nsml.paused("
    )
    (project / "main.py").write_text((project / "main.py").read_text().replace("\n    nsml.paused(", peek))
    nsml("submit", "-t", start_and_wait(nsml), "best")
    assert "LABELS False" in nsml("logs", "FUNDUS/2").out


def test_no_label_file_is_named_in_what_the_process_can_see_of_itself(nsml: Nsml, dataset: str, project: Path) -> None:
    peek = (
        "\n    mine = str(dict(os.environ)) + open('/proc/self/cmdline').read()"
        "\n    fds = [f'/proc/self/fd/{n}' for n in os.listdir('/proc/self/fd')]"
        "\n    mine += str([os.readlink(fd) for fd in fds if os.path.exists(fd)])"
        "\n    mine += open(os.environ['NSML_LAUNCH']).read()"
        "\n    print('HIDDEN', 'hidden' in mine, 'test_label' in mine)\n    nsml.paused("
    )
    (project / "main.py").write_text((project / "main.py").read_text().replace("\n    nsml.paused(", peek))
    nsml("submit", "-t", start_and_wait(nsml), "best")
    assert "HIDDEN False False" in nsml("logs", "FUNDUS/2").out


def test_what_training_wrote_into_its_folder_is_gone_at_submit(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    program = program.replace('nsml.save("best")', "nsml.save('best'); open('made.txt', 'w')")
    program = program.replace(
        "    def infer(data, **kwargs):", "    def infer(data, **kwargs):\n        open('made.txt')"
    )
    (project / "main.py").write_text(program)
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert (
        failed.status == 1
        and "submit failed at infer: FileNotFoundError" in failed.err
        and "main.py, line" in failed.err
    )


BAD_INFER = {
    "too few": ("return [0]", "infer returned 1 prediction for 4 images"),
    "too many": ("return [0] * 5", "infer returned 5 predictions for 4 images"),
    "text": ("return ['0'] * 4", "the text '0' for image 0"),
    "a float": ("return [0, 1, 1.0, 2]", "the float 1.0 for image 2"),
    "NaN": ("return [float('nan')] * 4", "only NaN"),
    "one NaN": ("return [0, float('nan'), 0, 0]", "the float nan for image 1"),
    "a bool": ("return [True] * 4", "a bool for image 0"),
    "out of range": ("return [0, 1, 2, 4]", "4 for image 3, outside 0 .. 3"),
    "negative": ("return [-1] * 4", "-1 for image 0, outside 0 .. 3"),
    "None": ("return None", "infer returned None"),
    "a number": ("return 3", "infer returned a int"),
    "probabilities": ("import numpy; return numpy.zeros((4, 4))", "scores by class"),
    "a data frame": ("import pandas; return pandas.DataFrame({'label': [0] * 4})", "infer returned a DataFrame"),
    "an exception": ("raise KeyError('lens')", "submit failed at infer: KeyError: 'lens' (main.py, line 18)"),
    "an exit": ("import os; os._exit(0)", "main.py ended with exit status 0 before it had predicted all images"),
    "a kill": ("import os; os.kill(os.getpid(), 9)", "by the system for lack of memory: it had used"),
    "a clean exit": ("import sys; sys.exit(0)", "submit failed at infer: SystemExit"),
}


@pytest.mark.parametrize("case", BAD_INFER)
def test_an_infer_that_returns_the_wrong_thing_is_one_line_and_no_submission(
    nsml: Nsml, dataset: str, project: Path, case: str
) -> None:
    code, message = BAD_INFER[case]
    program = (project / "main.py").read_text().replace("return [int(image.mean()) % 4 for image in data]", code)
    (project / "main.py").write_text(program)
    failed = nsml("submit", start_and_wait(nsml), "best")
    (line,) = [line for line in failed.err.splitlines() if line.startswith("nsml: ")]
    assert failed.status == 1 and message in line and "Traceback" not in failed.err
    assert json.loads(nsml("dataset", "board", "-j", "FUNDUS").out) == []


@pytest.mark.parametrize(
    "code",
    [
        "iter(found)",
        "tuple(found)",
        "numpy.array(found)",
        "numpy.array(found)[:, None]",
        "[numpy.int64(x) for x in found]",
    ],
)
def test_an_infer_may_return_any_sequence_of_integers(nsml: Nsml, dataset: str, project: Path, code: str) -> None:
    program = (project / "main.py").read_text()
    new = f"import numpy; found = [int(image.mean()) % 4 for image in data]; return {code}"
    (project / "main.py").write_text(program.replace("return [int(image.mean()) % 4 for image in data]", new))
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 100.010001"


def test_a_program_that_ends_before_paused_gets_an_error_that_says_so(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text().replace("    nsml.paused(scope=locals())", "    raise SystemExit(0)")
    (project / "main.py").write_text(program)
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert failed.status == 1 and "main.py ended before it called nsml.paused" in failed.err


def test_a_program_that_fails_before_paused_shows_its_last_line(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(
        program.replace("    nsml.paused(", "    raise ValueError('no lens')\n    nsml.paused(")
    )
    failed = nsml("submit", start_and_wait(nsml), "best")
    assert (
        failed.status == 1
        and "exit status 1 before it called nsml.paused; its last line of output: ValueError: no lens" in failed.err
    )


def test_a_program_without_the_reserved_arguments_is_warned_at_run_and_refused_at_submit(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    program = (project / "main.py").read_text()
    program = program.replace('parser.add_argument("--mode", default="train")\n', "args_mode = 'train'\n")
    (project / "main.py").write_text(program.replace("args.mode", "args_mode"))
    assert "warning: main.py: does not accept --mode" in nsml("run", "-d", dataset).err
    nsml("logs", "-f", "FUNDUS/1")
    refused = nsml("submit", "FUNDUS/1", "best")
    assert refused.status == 2 and "main.py does not accept --mode, which submit needs" in refused.err


def test_iteration_is_passed_only_to_a_program_that_takes_it(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace('parser.add_argument("--iteration", default="0")\n', ""))
    assert nsml("submit", start_and_wait(nsml), "best").out.splitlines()[0] == "Score: 100.010001"


def test_an_infer_that_takes_too_long_is_ended(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text().replace("return [int", "import time; time.sleep(60); return [int")
    (project / "main.py").write_text(program)
    failed = nsml("submit", start_and_wait(nsml), "best", "--limit", "1.5")
    assert failed.status == 1
    # A busy machine may take as long to start it.
    assert re.search("submit failed at (start|load|infer): it took more than 2 seconds", failed.err)


def test_a_bare_except_around_paused_does_not_send_a_submit_on_to_training(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    program = (project / "main.py").read_text()
    program = program.replace(
        "    nsml.paused(scope=locals())", "    try: nsml.paused(scope=locals())\n    except: pass\n    print('ON')"
    )
    (project / "main.py").write_text(program)
    nsml("submit", "-t", start_and_wait(nsml), "best")
    assert "ON" not in nsml("logs", "FUNDUS/2").out


def test_a_program_may_close_its_output_or_put_one_that_cannot_be_flushed_in_its_place(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    program = (project / "main.py").read_text()
    habits = (
        "import sys\n        sys.stdout.close()\n        sys.stderr = argparse.Namespace(write=len)\n        return"
    )
    (project / "main.py").write_text(program.replace("return", habits))
    submitted = nsml("submit", start_and_wait(nsml), "best")
    assert submitted.out.splitlines() == ["Score: 100.010001", "Done"]


def test_an_error_of_infer_has_its_line_also_where_the_working_folder_is_gone(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    program = (project / "main.py").read_text()
    gone = "os.mkdir('gone'); os.chdir('gone'); os.rmdir(os.getcwd()); raise ValueError('no such class')"
    (project / "main.py").write_text(program.replace("return", f"{gone}\n        return"))
    assert "ValueError: no such class (main.py, line 18)" in nsml("submit", start_and_wait(nsml), "best").err


def test_an_infer_that_needs_more_than_the_data_hears_that_the_dataset_brings_no_loader(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("infer(data, **kwargs)", "infer(queries, references)"))
    refused = nsml("submit", start_and_wait(nsml), "best").err
    assert "infer(queries, references) cannot be called with the test data alone" in refused
    assert "evaluation/data_loader.py" in refused


def test_a_decorator_may_give_infer_more_than_the_data(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    decorator = (
        "    import functools\n    def giving(f): return functools.wraps(f)(lambda data: f(data, 4))\n    @giving\n"
    )
    (project / "main.py").write_text(
        program.replace("    def infer(data, **kwargs)", f"{decorator}    def infer(data, classes)")
    )
    assert nsml("submit", start_and_wait(nsml), "best").out.startswith("Score: 100.010001")


def test_saving_and_reporting_during_a_submit_changes_nothing(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(
        program.replace("return [int", "nsml.report(summary=True, x=9); nsml.save('late'); return [int")
    )
    name = start_and_wait(nsml)
    before, (session,) = nsml("model", "ls", "-j", name).out, json.loads(nsml("ps", "-aj").out)
    assert nsml("submit", name, "best").status == 0
    (after,) = json.loads(nsml("ps", "-aj").out)
    assert after.pop("score") is not None and session.pop("score") is None
    assert (nsml("model", "ls", "-j", name).out, after) == (before, session)


def test_a_broken_test_photograph_gets_a_black_image_and_a_warning(nsml: Nsml, tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", labels=[0, 1, 2, 3])
    (source / "test" / "test_data" / "001.png").write_bytes(b"no picture")
    (source / "test" / "test_data" / "002.png").write_bytes(b"")
    nsml("dataset", "push", "BROKEN", str(source))
    nsml("submit", "-t", start_and_wait(nsml, dataset="BROKEN"), "best")
    log = nsml("logs", "BROKEN/2").out
    assert log.count("cannot be decoded") == 2


def test_a_class_absent_from_the_test_set_is_left_out_with_a_warning(nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "TWO", str(make_dataset(tmp_path / "two", labels=[0, 3, 3])))
    submitted = nsml("submit", start_and_wait(nsml, dataset="TWO"), "best")
    assert "AMD, RVO are absent from the test set" in submitted.err and submitted.out.startswith("Score: 100.010001\n")


def test_a_damaged_checkpoint_fails_before_the_program_is_started(nsml: Nsml, trained: str, home: Path) -> None:
    (file,) = (home / "sessions" / trained / "checkpoints").glob("best@*/model/model.json")
    file.write_text('{"epoch": 2}')
    failed = nsml("submit", trained, "best")
    assert failed.status == 1 and "checkpoint best is damaged" in failed.err and "starting" not in failed.err


def test_the_board_ranks_users_by_their_best_and_the_earlier_first(nsml: Nsml, dataset: str) -> None:
    home = open_home()
    for user, score in (("a", 70.0), ("b", 80.0), ("c", 80.0), ("a", 75.0), ("a", 60.0)):
        record_score(
            open_submission(home, dataset), user=user, session=f"{user}/FUNDUS/1", checkpoint="best", score=score
        )
    rows = json.loads(nsml("dataset", "board", "-j", dataset).out)
    assert [(r["user"], r["score"], r["submissions"]) for r in rows] == [("b", 80.0, 1), ("c", 80.0, 1), ("a", 75.0, 3)]


def test_a_damaged_submission_is_one_warning_and_hides_no_other(nsml: Nsml, trained: str, home: Path) -> None:
    nsml("submit", trained, "best")
    nsml("submit", trained, "0")
    (home / "submissions" / "FUNDUS" / "1" / "submission.json").write_text("{")
    board = nsml("dataset", "board", "FUNDUS")
    assert board.status == 0 and "is damaged" in board.err and "100.010001" in board.out


def test_verbose_shows_what_the_program_prints(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (
        (project / "main.py")
        .read_text()
        .replace("        return [int", "        print('서울', len(data))\n        return [int")
    )
    (project / "main.py").write_text(program)
    name = start_and_wait(nsml)
    assert "\n서울 4\n" in nsml("submit", "-v", name, "best").err and "서울" not in nsml("submit", name, "best").err


def test_another_entry_file_can_be_submitted(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    (project / "predict.py").write_text(program.replace("% 4", "* 0"))
    assert nsml("submit", "-e", "predict.py", start_and_wait(nsml), "best").out.startswith("Score: 25.")


@pytest.mark.parametrize(
    "garbage",
    [
        b"no JSON\n\xff\xfe\x00\n[]\n{}\n3\n" + b"[" * 100_000 + b"\n",
        b'{"step": 5}\n{"step": ["infer"]}\n{"step": "rest"}\n{"step": "infer", "error": {}}\n',
        b'{"step": "infer", "done": "all", "total": null}\n{"step": "infer", "load_seconds": NaN}\n'
        b'{"step": "infer", "done": 1, "total": 1' + b"0" * 400 + b"}\n",
        b"x" * 3_000_000 + b"\n",
    ],
    ids=["no steps", "other steps", "no numbers", "long"],
)
def test_what_a_program_writes_among_the_steps_of_a_submit_is_passed_over(
    nsml: Nsml, dataset: str, project: Path, garbage: bytes
) -> None:
    program = (project / "main.py").read_text()
    writes = "import pathlib\nlaunch = json.load(open(os.environ['NSML_LAUNCH']))\nif 'submission' in launch:\n"
    writes += "    open(launch['submission'] + '/steps.jsonl', 'ab').write(pathlib.Path('garbage').read_bytes())\n"
    (project / "garbage").write_bytes(garbage)
    (project / "main.py").write_text(program.replace("if args.pause or", writes + "if args.pause or"))
    submitted = nsml("submit", start_and_wait(nsml), "best")
    assert (submitted.status, submitted.out) == (0, "Score: 100.010001\nDone\n")


def test_predictions_that_name_a_photograph_twice_are_refused(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    writes = """
if args.mode == "test":
    folder = json.load(open(os.environ["NSML_LAUNCH"]))["submission"]
    open(folder + "/predictions.csv", "w").write("".join(f"test_data,{n:03}.png,0\\n" for n in (0, 1, 2, 3, 3)))
    open(folder + "/steps.jsonl", "a").write('{"step": "done", "infer_seconds": 1}\\n')
    os._exit(0)
"""
    (project / "main.py").write_text(program.replace("if args.pause or", writes + "if args.pause or"))
    submitted = nsml("submit", start_and_wait(nsml), "best")
    assert submitted.status == 1 and "5 lines for 4 images; infer must return one prediction per image" in submitted.err


def test_a_metric_that_nobody_knows_is_named_with_those_that_there_are(nsml: Nsml, trained: str, home: Path) -> None:
    path = home / "datasets" / "FUNDUS" / "dataset.json"
    write_json(path, read_json(path) | {"metric": "dice"})
    refused = nsml("submit", trained, "best")
    assert refused.status == 1
    assert "scored by 'dice', which this nsml-local does not have (it has fundus, accuracy" in refused.err


def test_a_submit_that_fails_since_it_reads_training_data_says_so(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    read = "os.listdir(nsml.DATASET_PATH + '/train')\n"
    (project / "main.py").write_text(program.replace("args = parser", f"{read}args = parser"))
    failed = nsml("submit", start_and_wait(nsml), "best").err
    assert "main.py, line 28: the training data are read before nsml.paused, but a submit has none" in failed
    (project / "main.py").write_text(program.replace("        return [int", f"        {read}        return [int"))
    failed = nsml("submit", start_and_wait(nsml), "best").err
    assert "submit failed at infer: FileNotFoundError" in failed and "a submit has no training data" in failed


def correct_labels(source: Path, nsml: Nsml) -> None:
    """Push the dataset again with two labels exchanged."""
    labels = source / "test" / "test_label"
    labels.write_text(labels.read_text().replace(",0\n", ",9\n").replace(",1\n", ",0\n").replace(",9\n", ",1\n"))
    nsml("dataset", "rm", "-f", "FUNDUS")
    nsml("dataset", "push", "FUNDUS", str(source))


def test_a_score_of_other_labels_is_marked_and_stands_apart_until_it_is_scored_anew(
    nsml: Nsml, trained: str, tmp_path: Path
) -> None:
    nsml("submit", trained, "best")
    nsml("submit", trained, "0", NSML_USER="kim")
    correct_labels(tmp_path / "source", nsml)
    nsml("submit", trained, "best", NSML_USER="kim")
    board = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert [(r["rank"], r["user"], r["outdated"]) for r in board] == [(1, "kim", False), (None, "tester", True)]
    assert board[0]["score"] < board[1]["score"]
    shown = nsml("dataset", "board", "FUNDUS").out
    assert "2 of 3 submissions are not ranked, as scored with other labels or another scorer" in shown
    assert "scored with other labels" in nsml("dataset", "board", "--mine", "FUNDUS").out
    assert nsml("dataset", "rescore", "FUNDUS").out == "2 submissions rescored\n"
    board = json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)
    assert [(r["rank"], r["score"]) for r in board] == [(1, board[0]["score"]), (2, board[0]["score"])]


def test_what_cannot_be_scored_anew_stays_as_it_is_with_the_reason(
    nsml: Nsml, trained: str, tmp_path: Path, home: Path
) -> None:
    nsml("submit", trained, "best")
    (home_predictions,) = (home / "submissions" / "FUNDUS" / "1").glob("prediction*")
    home_predictions.unlink()
    correct_labels(tmp_path / "source", nsml)
    ended = nsml("dataset", "rescore", "FUNDUS")
    assert "submission 1: its predictions are missing" in ended.err
    assert ended.out == "0 submissions rescored\n" and ended.status == 1
    assert json.loads(nsml("dataset", "board", "-j", "FUNDUS").out)[0]["rank"] is None


def test_a_failed_submit_is_listed_with_its_reason_which_its_log_holds_too(
    nsml: Nsml, dataset: str, project: Path
) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "9"))
    name = start_and_wait(nsml)
    refused = nsml("submit", name, "best")
    (own,) = json.loads(nsml("dataset", "board", "--mine", "-j", "FUNDUS").out)
    assert own["error"] in refused.err
    assert own["error"] in nsml("dataset", "board", "--mine", "FUNDUS").out
    log = refused.err.partition("(log: ")[2].partition(")")[0]
    assert own["error"] in Path(log).read_text()
    assert json.loads(nsml("dataset", "board", "-j", "FUNDUS").out) == []


def test_a_failed_dry_run_says_why_in_its_log_and_its_state(nsml: Nsml, dataset: str, project: Path) -> None:
    program = (project / "main.py").read_text()
    (project / "main.py").write_text(program.replace("int(image.mean()) % 4", "9"))
    nsml("submit", "-t", start_and_wait(nsml), "best")
    tried = json.loads(nsml("ps", "-a", "-j", "-n", "1").out)[0]
    assert "submit failed at predictions" in tried["reason"]
    assert tried["reason"] in nsml("logs", tried["name"]).out

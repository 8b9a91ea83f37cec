"""Programs that use the library's calls and constants in the habits of the platform's years."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import Nsml, start_and_wait, wait_until
from program_helpers import printed, push, put, scored, train


@pytest.fixture(autouse=True)
def numbers(tmp_path: Path) -> None:
    push(tmp_path)


@pytest.fixture
def plotted(nsml: Nsml, project: Path) -> dict[str, list[str]]:
    """The values of a session of `reports.py`, by name, as `nsml plot --csv` gives them."""
    put(project, "library/reports.py")
    rows = list(csv.DictReader(io.StringIO(nsml("plot", "--csv", train(nsml)).out)))
    return {name: [row[name] for row in rows if row[name]] for name in rows[0]}


def test_a_dict_as_first_argument_of_report_is_stored(plotted: dict[str, list[str]]) -> None:
    assert plotted["train_loss"] == ["2.5"] and plotted["train_acc"] == ["0.25"]


def test_names_with_slashes_spaces_and_tags_are_stored_unchanged(plotted: dict[str, list[str]]) -> None:
    assert {"train/loss", "best Recall@1", "valid loss@std", "cost@stack:parts"} <= set(plotted)


def test_numbers_of_numpy_are_stored_as_numbers(plotted: dict[str, list[str]]) -> None:
    assert plotted["seen"] == ["0", "10", "20"] and [float(v) for v in plotted["best Recall@1"]] == [0.5, 0.75, 1.0]


def test_values_outside_the_summary_are_stored_but_not_shown(nsml: Nsml, project: Path) -> None:
    put(project, "library/reports.py")
    train(nsml)
    (row,) = json.loads(nsml("ps", "-a", "-j").out)
    assert row["summary"]["best Recall@1"] == 1.0 and "lr" not in row["summary"]


def test_the_losses_of_a_whole_batch_end_a_program_with_a_type_error(nsml: Nsml, project: Path) -> None:
    put(project, "library/reports.py")
    name = start_and_wait(nsml, "-a", "--whole_array", dataset="NUMBERS")
    last = printed(nsml, name)[-1]
    assert last.startswith("TypeError: ") and "train/losses" in last and "Failed (1)" in nsml("ps", "-a").out


def test_what_an_estimator_learnt_is_copied_into_the_one_that_is_bound(nsml: Nsml, project: Path) -> None:
    put(project, "library/estimators.py")
    assert "the bound estimator: 0.5 1.0" in printed(nsml, train(nsml))


def test_an_estimator_that_load_copies_answers_at_submit(nsml: Nsml, project: Path) -> None:
    put(project, "library/estimators.py")
    assert scored(nsml("submit", train(nsml), "best")) == "Score: 1"


def test_results_of_cache_in_files_and_in_a_folder_are_used_by_a_later_session(nsml: Nsml, project: Path) -> None:
    put(project, "library/caches.py")
    first, second = printed(nsml, train(nsml)), printed(nsml, train(nsml))
    assert first[:2] == ["counting", "sorting"] and second == first[2:]
    assert second == ["counts/all.txt holds 4", "counts/first.txt holds 1", "sorted/numbers.txt holds 9 1"]


def test_results_of_cache_are_each_users_own(nsml: Nsml, project: Path) -> None:
    put(project, "library/caches.py")
    train(nsml)
    nsml("run", "-d", "NUMBERS", NSML_USER="other")
    assert nsml("logs", "-f", "other/NUMBERS/1").out.splitlines()[:2] == ["counting", "sorting"]


def test_a_trainer_that_draws_with_visdom_runs_without_it(nsml: Nsml, project: Path) -> None:
    put(project, "library/speaker.py")
    assert printed(nsml, train(nsml))[-1] == "trained for tester/NUMBERS/1"


def test_a_parallel_session_is_this_machine_alone(nsml: Nsml, project: Path) -> None:
    put(project, "library/speaker.py")
    assert "1 machine of rank 0, no GPU" in printed(nsml, train(nsml, "-g", "0"))


def test_a_program_with_nsml_in_a_try_reads_the_dataset_in_a_session(nsml: Nsml, project: Path) -> None:
    put(project, "library/in_a_try.py")
    assert printed(nsml, train(nsml)) == ["read 4 lines on the platform"]


def test_a_program_with_nsml_in_a_try_falls_back_to_its_own_data_at_home(project: Path, python: Nsml) -> None:
    put(project, "library/in_a_try.py")
    (project / "data" / "train" / "train_data").mkdir(parents=True)
    (project / "data" / "train" / "train_data" / "numbers.txt").write_text("1 0\n")
    assert python("main.py").out == "read 1 lines at home\n"


def test_a_program_may_rebind_the_constants_of_the_module(nsml: Nsml, project: Path) -> None:
    put(project, "library/rebinding.py")
    assert printed(nsml, train(nsml)) == ["has dataset: False", "['train_data'] NUMBERS"]


def test_a_program_that_asks_the_environment_finds_its_dataset(nsml: Nsml, project: Path) -> None:
    put(project, "library/variables.py")
    assert printed(nsml, train(nsml)) == ["NUMBERS 4", "the same as the constants: True"]


def test_a_program_of_2017_trains_without_any_test_hook(nsml: Nsml, project: Path) -> None:
    put(project, "library/year_2017.py")
    assert printed(nsml, train(nsml, "-a", "--batch-size 4")) == ["line 5.0"]


def test_a_program_of_2017_gets_a_warning_at_run_that_it_cannot_be_submitted(nsml: Nsml, project: Path) -> None:
    put(project, "library/year_2017.py")
    assert "warning: main.py: nsml.paused is never called" in nsml("run", "-d", "NUMBERS").err


def test_a_dataset_without_sides_is_seen_as_it_is(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    push(tmp_path, "", {"faces.txt": "1 2", "names.txt": "a b"}, "FACES")
    put(project, "library/without_sides.py")
    assert printed(nsml, train(nsml, dataset="FACES")) == ["faces.txt ['1', '2']", "names.txt ['a', 'b']"]


def test_exec_sees_the_names_of_the_module_and_of_the_function(nsml: Nsml, project: Path, home: Path) -> None:
    put(project, "library/scopes.py")
    nsml("run", "-d", "NUMBERS")
    wait_until(lambda: "waiting" in nsml("logs", "NUMBERS/1").out)
    assert nsml("exec", "NUMBERS/1", "(sum(model['weights']), epoch, loss * 3 == rate)").out == "(6, 2, True)\n"
    (home / "output" / "tester" / "enough").touch()
    assert "exit status 0" in nsml("logs", "-f", "NUMBERS/1").out


def test_infer_of_the_library_answers_locally_with_its_keywords(project: Path, python: Nsml) -> None:
    put(project, "library/infers_locally.py")
    assert python("main.py", NSML_DATASET="NUMBERS").out == "['a'] ['a b']\n"


@pytest.mark.parametrize(("line", "answer"), [("d b", "['b']"), ('["z y", "x"]', "['y', 'x']")])
def test_a_program_of_sentences_answers_a_text_and_a_list(nsml: Nsml, project: Path, line: str, answer: str) -> None:
    put(project, "library/infers_locally.py")
    command = [sys.executable, "-m", "nsml", "infer", train(nsml), "now"]
    asked = subprocess.run(command, cwd=project, input=f"{line}\n", capture_output=True, text=True, timeout=120)
    assert asked.stdout == f"{answer}\n"

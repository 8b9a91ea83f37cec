"""What organisers brought along, and whose file is whose."""

from pathlib import Path

from helpers import Nsml
from program_helpers import NUMBERS, push, put, scored, train


def _submit_with(nsml: Nsml, project: Path, folder: Path, organiser: str) -> str:
    push(folder, organiser)
    put(project, "hooks/joined.py")
    return scored(nsml("submit", train(nsml), "final"))


def test_a_scorer_imports_no_module_of_the_competitor(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    push(tmp_path, "own_module")
    put(project, "infer/own_module")
    refused = nsml("submit", train(nsml), "last")
    assert refused.status == 1
    assert "put preparing beside evaluation.py and push again" in refused.err


def test_a_loader_may_import_a_module_of_the_competitor(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    push(tmp_path, "own_module")
    put(project, "infer/own_module")
    assert nsml("submit", "-t", train(nsml), "last").out.splitlines()[:4] == ["low", "low", "high", "high"]


def test_a_loader_and_a_scorer_of_the_competitor_do_not_stand_in_for_the_organisers(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    push(tmp_path)
    put(project, "infer/own_files")
    assert scored(nsml("submit", train(nsml), "last")) == "Score: 0.75"


def test_a_loader_may_import_what_lies_beside_it_and_a_scorer_the_loader(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    push(tmp_path, "siblings")
    put(project, "infer/own_files")
    assert scored(nsml("submit", train(nsml), "last")) == "Score: 0.75"


def test_a_scorer_can_see_that_it_runs_on_the_platform(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert _submit_with(nsml, project, tmp_path, "on_platform") == "Score: 1"


def test_a_measure_of_the_competitors_own_is_reported_in_training(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    push(tmp_path)
    put(project, "infer/own_files")
    train(nsml)
    assert "measure=99.9" in nsml("ps", "-a").out


def test_a_scorer_that_catches_everything_has_its_traceback_shown(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    push(tmp_path, "minus_one")
    put(project, "hooks/joined.py")
    submitted = nsml("submit", train(nsml), "final")
    assert (
        submitted.out == "Score: -1\nDone\n"
        and "No such file or directory: 'data/NUMBERS/test/weights'" in submitted.err
    )


def test_the_score_is_the_last_number_of_all_that_the_scorer_printed(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert _submit_with(nsml, project, tmp_path, "sentence") == "Score: 0.25"


def test_a_dataset_without_labels_is_scored_by_a_scorer_that_keeps_them_beside_itself(
    nsml: Nsml, project: Path, tmp_path: Path
) -> None:
    push(tmp_path, "keyed", {path: text for path, text in NUMBERS.items() if not path.endswith("label")})
    put(project, "hooks/joined.py")
    assert scored(nsml("submit", train(nsml), "final")) == "Score: 1"


def test_a_path_of_the_labels_joined_from_the_root_is_read(nsml: Nsml, project: Path, tmp_path: Path) -> None:
    assert _submit_with(nsml, project, tmp_path, "joined_root") == "Score: 1"

"""The constants, in and outside a session."""

from pathlib import Path

import pytest
from helpers import Nsml, make_dataset, start_and_wait

SHOW = """
import nsml
from nsml.constants import DATASET_PATH
print(nsml.IS_ON_NSML, nsml.HAS_DATASET, nsml.IS_DATASET, nsml.DATASET_NAME or "-", DATASET_PATH or "-", nsml.GPU_NUM)
"""


@pytest.fixture
def show(project: Path) -> None:
    (project / "show.py").write_text(SHOW)


@pytest.mark.usefixtures("show")
def test_outside_a_session_and_without_a_dataset_the_path_is_empty(python: Nsml) -> None:
    assert python("show.py", CUDA_VISIBLE_DEVICES="").out.split() == ["False", "False", "False", "-", "-", "0"]


@pytest.mark.usefixtures("show")
def test_nsml_dataset_names_the_dataset_of_a_program_started_by_hand(python: Nsml, dataset: str, home: Path) -> None:
    shown = python("show.py", NSML_DATASET=dataset, CUDA_VISIBLE_DEVICES="").out.split()
    assert shown == ["False", "True", "True", dataset, str(home / "datasets" / dataset / "training"), "0"]


@pytest.mark.usefixtures("show")
def test_an_unknown_nsml_dataset_is_an_error_that_names_the_nearest(python: Nsml, dataset: str) -> None:
    assert "did you mean FUNDUS?" in python("show.py", NSML_DATASET="FUNDOS").err.splitlines()[-1]


@pytest.mark.usefixtures("show")
def test_a_program_started_by_hand_falls_back_to_the_demo_set(python: Nsml, nsml: Nsml, tmp_path: Path) -> None:
    nsml("dataset", "push", "FUNDUS_DEMO", str(make_dataset(tmp_path / "made")))
    shown = python("show.py").out.split()
    assert shown[1] == "False" and shown[3] == "FUNDUS_DEMO" and Path(shown[4], "train", "train_data").is_dir()


@pytest.mark.usefixtures("show", "dataset")
def test_in_a_session_the_platform_is_there(nsml: Nsml, home: Path) -> None:
    name = start_and_wait(nsml, "-e", "show.py")
    path = home / "datasets" / "FUNDUS" / "training"
    assert nsml("logs", name, CUDA_VISIBLE_DEVICES="").out.split()[:5] == ["True", "True", "True", "FUNDUS", str(path)]


def test_a_session_finds_no_test_data_under_its_dataset_path(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "walk.py").write_text("import os, nsml\nfor r, _, f in os.walk(nsml.DATASET_PATH): print(r, f)")
    shown = nsml("logs", start_and_wait(nsml, "-e", "walk.py")).out
    assert "train_data" in shown and "test_data" not in shown and "test_label" not in shown


def test_the_output_folder_outlives_the_session(nsml: Nsml, dataset: str, project: Path) -> None:
    write = "import os, nsml\nopen(os.path.join(nsml.NSML_NFS_OUTPUT, 'kept.txt'), 'a').write('x')\n"
    (project / "write.py").write_text(write + "print(open(os.path.join(nsml.NSML_NFS_OUTPUT, 'kept.txt')).read())")
    start_and_wait(nsml, "-e", "write.py")
    assert "xx" in nsml("logs", start_and_wait(nsml, "-e", "write.py")).out

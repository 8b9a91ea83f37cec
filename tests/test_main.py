"""The entry file as a user starts it: arguments, errors in one line, and a training from end to end."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_server import CommandServer

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "nsml-local" / "src"
CODES = {"NORMAL": "NOR", "AMD": "AMD", "RVO": "RVO", "DMR": "DMR"}
COLOURS = [(30, 60, 120), (30, 200, 220), (20, 20, 90), (120, 60, 200)]

TENSORFLOW = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import cv2, h5py, sklearn.model_selection
from model.run.devices import import_tensorflow
import_tensorflow()
"""

Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def start(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start main.py, or `nsml`, ensemble.py or the program at a whole path where the first word is that, and wait for its end."""
    work = tmp_path_factory.mktemp("work")

    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NSML_", "COVERAGE_"))}
    common = {**inherited, "NSML_HOME": str(home), "NSML_USER": "team", "PYTHONPATH": str(LIBRARY)}
    # Where there is a dataset, the programs import TensorFlow, which takes them seconds.
    light, heavy = CommandServer(environment=common), CommandServer(TENSORFLOW, common)

    def run(*words: str, dataset: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        if words[:1] not in (("nsml",), ("ensemble.py",)) and not (words and os.path.isabs(words[0])):
            words = ("main.py", *words)
        command = [words[0] if words[0] == "nsml" else str(ROOT / words[0]), *words[1:]]
        environment = {**common, **variables}
        if dataset is not None:
            environment["NSML_DATASET"] = dataset
        server = light if dataset is None else heavy
        if server.takes(environment):
            status, out, err = server.run(command, work, environment, 300)
            return subprocess.CompletedProcess(command, status, out.decode(), err.decode())
        started = [sys.executable, *(["-m"] if words[0] == "nsml" else []), *command]
        return subprocess.run(started, env=environment, cwd=work, capture_output=True, text=True, timeout=300)

    yield run
    light.close()
    heavy.close()


def draw(folder: Path, label: int, count: int) -> None:
    """Round photographs whose blots have the colour of their class."""
    rng = np.random.default_rng(label)
    folder.mkdir(parents=True)
    for number in range(count):
        image = np.zeros((96, 120, 3), np.uint8)
        cv2.circle(image, (60, 48), 44, (60, 90, 170), -1)
        for x, y in rng.integers(30, 66, (6, 2)):
            cv2.circle(image, (int(x) + 12, int(y)), 6, COLOURS[label], -1)
        name = f"Wide_{list(CODES.values())[label]}_{label * 100 + number // 2}_{'RL'[number % 2]}.jpg"
        cv2.imwrite(str(folder / name), image)


@pytest.fixture(scope="module")
def dataset(start: Start, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registered dataset of 64 training and 16 test photographs."""
    root = tmp_path_factory.mktemp("dataset")
    lines = []
    for label, name in enumerate(CODES):
        draw(root / "train" / "train_data" / name, label, 16)
        draw(root / "drawn", label, 4)
        (root / "test" / "test_data").mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(sorted((root / "drawn").iterdir())):
            target = f"{(label * 7 + number * 3) % 31:02d}_{label}.jpg"
            path.rename(root / "test" / "test_data" / target)
            lines.append(f"test_data,{target},{label}\n")
        (root / "drawn").rmdir()
    (root / "test" / "test_label").write_text("".join(sorted(lines)), encoding="utf-8")
    pushed = start("nsml", "dataset", "push", "SMALL", str(root))
    assert pushed.returncode == 0, pushed.stderr
    return "SMALL"


def only_line(ended: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line on stderr of a program that ended with that status and printed nothing else."""
    assert ended.returncode == status, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    return lines[0]


def test_help_explains_every_argument(start: Start) -> None:
    ended = start("--help")
    assert ended.returncode == 0
    text = " ".join(ended.stdout.split())
    names = [
        *(
            "recipe",
            "set",
            "epoch",
            "batch_size",
            "learning_rate",
            "image_size",
            "hours",
            "classes",
            "patient-pattern",
            "num_classes",
            "folds",
            "fold",
            "seed",
        ),
        *("save_every", "pretrained", "pause", "iteration", "mode", "out", "debug"),
    ]
    assert sorted(set(re.findall(r"^  --([\w-]+)", ended.stdout, re.MULTILINE))) == sorted(names)
    text = text[text.index("options:") :]
    for name in names:
        explanation = re.search(rf"--{name} .*?(?= --[\w-]+ |$)", text)
        assert explanation, name
        assert len(explanation[0].split()) > 3, name


@pytest.mark.parametrize(
    "words",
    [
        ["--epoch", "0"],
        ["--epoch", "3.5"],
        ["--batch_size", "-1"],
        ["--num_classes", "1"],
        ["--num_classes", "2", "--classes", "AMD,DMR"],
        ["--classes", "AMD"],
        ["--classes", "AMD,amd"],
        ["--patient-pattern", "("],
        ["--learning_rate", "nan"],
        ["--learning_rate", "much"],
        ["--image_size", "4"],
        ["--set", "width=0"],
        ["--set", "width"],
        ["--set", "=3"],
        ["--set", "epochs=3", "--epoch", "4"],
        ["--epoch", "1_0"],
        ["--set", "wide=3"],
        ["--set", "gentle.rate=2"],
        ["--recipe", "losing"],
        ["--seed", "-1"],
        ["--save_every", "0"],
        ["--folds", "1"],
        ["--fold", "2"],
        ["--fold", "5", "--folds", "5"],
        ["--fold", "all"],
        ["--fold", "some", "--folds", "5"],
        ["--pretrained", "best"],
        ["--mode", "practise"],
        ["--pause", "2"],
    ],
    ids=" ".join,
)
def test_an_argument_out_of_range_is_named_in_one_line(start: Start, words: list[str]) -> None:
    line = only_line(start(*words), 2)
    assert line.startswith(f"main.py: argument {words[0]}: ")


def test_an_unknown_argument_is_named_in_one_line(start: Start) -> None:
    assert "--epochs" in only_line(start("--epochs", "3"), 2)


@pytest.mark.parametrize("mode", ["train", "test"])
def test_without_a_dataset_it_says_how_to_get_one(start: Start, mode: str) -> None:
    line = only_line(start("--mode", mode), 2)
    assert "NSML_DATASET" in line
    assert "nsml dataset demo" in line


def test_an_unknown_dataset_is_named_with_the_nearest(start: Start, dataset: str) -> None:
    line = only_line(start(dataset="SMAL"), 2)
    assert "SMAL" in line
    assert dataset in line


def test_a_dataset_of_a_single_class_is_refused(start: Start, tmp_path: Path) -> None:
    draw(tmp_path / "train" / "train_data" / "AMD", 1, 4)
    assert start("nsml", "dataset", "push", "ONE", str(tmp_path)).returncode == 0
    assert "only AMD" in only_line(start(dataset="ONE"), 2)


def test_a_dataset_without_the_folder_of_photographs_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "table.csv").write_text("a,b\n", encoding="utf-8")
    assert start("nsml", "dataset", "push", "TABLE", str(tmp_path)).returncode == 0
    assert "train_data is missing" in only_line(start(dataset="TABLE"), 2)


def test_class_folders_beside_train_data_are_named_at_push_and_in_training(start: Start, tmp_path: Path) -> None:
    draw(tmp_path / "train" / "AMD", 1, 1)
    draw(tmp_path / "train" / "NORMAL", 1, 1)
    pushed = start("nsml", "dataset", "push", "FLAT", str(tmp_path))
    assert "train/ holds AMD, NORMAL, but photographs are read from train/train_data/<CLASS>/" in pushed.stderr
    line = only_line(start(dataset="FLAT"), 2)
    assert "train has AMD, NORMAL, but no train_data; put the class folders into train/train_data/" in line


def test_an_impossible_fold_is_refused_before_the_first_is_trained(start: Start, tmp_path: Path) -> None:
    draw(tmp_path / "train" / "train_data" / "NORMAL", 0, 11)
    draw(tmp_path / "train" / "train_data" / "AMD", 1, 1)
    assert start("nsml", "dataset", "push", "RARE", str(tmp_path)).returncode == 0
    ended = start("--num_classes", "2", "--folds", "3", "--fold", "all", "--seed", "0", dataset="RARE")
    assert ended.returncode == 2 and "fold 1: AMD would be missing from training" in ended.stderr
    assert "fold 0, 1 of 3" not in ended.stdout


@pytest.mark.parametrize("program", [[], ["ensemble.py"]])
def test_infer_by_hand_is_refused_with_the_command_that_does_it(start: Start, dataset: str, program: list[str]) -> None:
    ended = start(*program, "--mode", "infer", dataset=dataset)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert "use 'nsml infer SESSION CHECKPOINT' for your photographs" in ended.stderr.splitlines()[-1]


SMALL = [
    "--recipe",
    "winning",
    "--image_size",
    "32",
    "--set",
    "width=4",
    "--set",
    "depth=3",
    "--set",
    "baselines=0",
    "--batch_size",
    "8",
    "--learning_rate",
    "0.02",
    "--save_every",
    "2",
]


@pytest.mark.slow
def test_it_trains_goes_on_predicts_the_test_photographs_and_reports(start: Start, dataset: str, home: Path) -> None:
    trained = start(*SMALL, "--epoch", "12", "--set", "baselines=1", dataset=dataset)
    assert trained.returncode == 0, trained.stderr
    lines = trained.stdout.splitlines()
    rivals = [line.partition(": ")[2].partition(": ")[0] for line in lines if line.startswith("to beat: ")]
    assert rivals[0].startswith("always ")
    assert rivals[-2] == "frozen features"
    assert "this training: accuracy " in trained.stdout
    assert sum(line.startswith("epoch ") for line in lines) == 12
    assert any(line.startswith("class") and "patients" in line for line in lines)

    assert all(re.search(r"/s( input \d+%)?  \d+:\d\d left$", line) for line in lines if line.startswith("epoch "))

    tested = start("--mode", "test", "--iteration", "best", dataset=dataset)
    assert tested.returncode == 0, tested.stderr
    result = re.search(r"accuracy\s+([0-9.]+)", tested.stdout)
    assert result, tested.stdout
    assert float(result[1]) > 0.6
    assert "the same answer for every photograph reaches at best " in tested.stderr

    compared = start("nsml", "compare", "SMALL/1:2", "SMALL/1:best")
    assert compared.returncode == 0, compared.stderr
    assert re.search(r"^\d+ samples of \d+ patients", compared.stdout, re.MULTILINE), compared.stdout
    assert compared.stdout.splitlines()[-1].startswith("Accuracy: ")

    reported = start("nsml", "report", "SMALL/1", "best", "--out", "pages")
    assert reported.returncode == 0, reported.stderr
    page = Path(reported.stdout.splitlines()[-2].rpartition(": ")[2])
    assert page.parent == home / "sessions" / "team" / "SMALL" / "1" / "reports" / "best"
    assert "SMALL/1, checkpoint best</h1>" in page.read_text(encoding="utf-8")
    assert "How it learned" in page.read_text(encoding="utf-8")
    record = json.loads((home / "sessions" / "team" / "SMALL" / "1" / "session.json").read_text(encoding="utf-8"))
    assert {"learning_rate": 0.02, "batch_size": 8, "optimizer": "radam"}.items() <= record["settings"].items()
    for words in (
        "<td>learning rate</td><td>0.02<", "<td>batch size</td><td>8<", "<td>optimiser</td><td>radam<",
        f"<td>data</td><td>SMALL, digest {record['data']['SMALL']}<", f"keras {record['versions']['keras']}, ",
    ):  # fmt: skip
        assert words in page.read_text(encoding="utf-8")
    assert all(f"<tr><td>{name}</td><td>" in page.read_text(encoding="utf-8") for name in rivals[1:-1])

    resumed = start(*SMALL, "--epoch", "13", "--set", "width=8", "--pause", "1", "--iteration", "12", dataset=dataset)
    assert resumed.returncode == 0, resumed.stderr
    assert "warning: ignoring width=8: the checkpoint was trained with 4\n" in resumed.stdout
    assert [line.split()[1] for line in resumed.stdout.splitlines() if line.startswith("epoch")] == ["13/13"]


@pytest.mark.slow
def test_classes_and_patients_of_a_table_are_trained_and_submitted_by_their_label_numbers(
    start: Start, tmp_path: Path
) -> None:
    lines, answers = ["patient,image,level"], []
    for label, grade in enumerate(("none", "mild", "severe")):
        draw(tmp_path / grade, label, 16)
        for number, path in enumerate(sorted((tmp_path / grade).iterdir())):
            side, name = ("train", f"{grade[0]}{number}") if number < 12 else ("test", f"{number}{label}")
            (tmp_path / side / f"{side}_data").mkdir(parents=True, exist_ok=True)
            path.rename(tmp_path / side / f"{side}_data" / f"{name}.jpg")
            if side == "train":
                lines.append(f"P{label}{number // 2},{name},{grade}")
            else:
                answers.append(f"test_data,{name}.jpg,{label}\n")
    (tmp_path / "train" / "labels.csv").write_text("\n".join(lines))
    (tmp_path / "test" / "test_label").write_text("".join(answers))
    pushed = start("nsml", "dataset", "push", "GRADES", str(tmp_path), "--classes", "none,mild,severe")
    assert "(0 none: 12, 1 mild: 12, 2 severe: 12)" in pushed.stdout and pushed.stderr == ""

    trained = start(*SMALL, "--epoch", "8", "--classes", "severe,none", dataset="GRADES")
    assert trained.returncode == 0, trained.stderr
    assert "warning: 12 photographs are left out, as the classes were chosen: mild 12" in trained.stdout
    assert "audit: 12 patients" in trained.stdout
    tested = start("--mode", "test", "--iteration", "best", dataset="GRADES")
    assert tested.returncode == 0, tested.stderr
    recalls = dict(re.findall(r"^(none|mild|severe)\s+4\s+([0-9.]+)", tested.stdout, re.MULTILINE))
    assert recalls["mild"] == "0.0000"
    assert float(recalls["none"]) + float(recalls["severe"]) > 1


FOLDS = [
    *SMALL, "--epoch", "2", "--folds", "2", "--fold", "all", "--set", "ema=0.5", "--set", "views=8", "--set", "baselines=1",
]  # fmt: skip


@pytest.mark.slow
def test_all_folds_are_trained_put_together_with_others_predict_and_report(
    start: Start, dataset: str, tmp_path: Path
) -> None:
    trained = start(*FOLDS, dataset=dataset)
    assert trained.returncode == 0, trained.stderr
    session = re.search(r"Session (\S+) is started", trained.stderr)[1]
    assert sum(line.startswith("epoch ") for line in trained.stdout.splitlines()) == 4
    assert "fold 1, 2 of 2, about " in trained.stdout
    again = start(*FOLDS, "--pause", "1", "--iteration", "all", dataset=dataset)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1].startswith("all folds are trained already, and averaged in this checkpoint: ")
    assert "val acc" not in again.stdout
    assert trained.stdout.count("\nto beat: always ") == 2
    assert trained.stdout.count("\nthis training: accuracy ") == 2
    figures = re.search(r"all 2 folds: (val acc .*)", trained.stdout)[1].removeprefix("val ")

    members = f"{session}:all", f"{session}:fold0"
    averaged = start("ensemble.py", "--members", *members, "--weights", "2", "1", dataset=dataset)
    assert averaged.returncode == 0, averaged.stderr
    lines = averaged.stdout.splitlines()
    assert lines[0] == f"{session}:all    weight 2  64 validated: {figures}"
    assert re.match(rf"{session}:fold0  weight 1  32 validated: acc", lines[1])
    assert lines[2].startswith("together: 64 validated: acc")

    tested = start("ensemble.py", "--mode", "test", "--iteration", "ensemble", dataset=dataset)
    assert tested.returncode == 0, tested.stderr
    assert re.search(r"accuracy\s+[0-9.]+", tested.stdout), tested.stdout

    pages = ["--out", str(tmp_path)]
    reported = start("ensemble.py", "--mode", "report", "--iteration", "ensemble", *pages, dataset=dataset)
    assert reported.returncode == 0, reported.stderr
    assert reported.stdout.splitlines()[-1] == f"report: {tmp_path / 'report.html'}"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "This is an ensemble of 3 networks." in page
    assert "The checkpoint has no other baselines." not in page


@pytest.mark.slow
def test_a_resumed_training_goes_on_with_the_recipe_of_its_checkpoint(start: Start, dataset: str) -> None:
    other = ["--set", "optimizer=adam", "--set", "local_average=0", "--set", "class_weights=0"]
    trained = start(*SMALL, "--epoch", "4", *other, dataset=dataset)
    assert trained.returncode == 0, trained.stderr
    resumed = start("--pause", "1", "--iteration", "2", dataset=dataset)
    assert resumed.returncode == 0, resumed.stderr
    assert "warning: ignoring" not in resumed.stdout
    lines = [line.split()[1:3] for line in resumed.stdout.splitlines() if line.startswith("epoch ")]
    assert lines == [["3/4", "strong"], ["4/4", "gentle"]]


def test_set_help_lists_the_fields_of_the_recipe(start: Start) -> None:
    listed = start("--recipe", "winning", "--set", "help")
    assert listed.returncode == 0, listed.stderr
    assert "  width=16  " in listed.stdout
    assert "  gentle.rate=0.1  " in listed.stdout


@pytest.mark.slow
def test_it_trains_in_bfloat16_and_by_xla_where_that_is_asked_for(start: Start, dataset: str) -> None:
    # How fast the compiled step would be is no matter here, and making it so takes longest.
    quickly = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    wanted = ["--set", "precision=bfloat16", "--set", "jit=1"]
    trained = start(*SMALL, "--epoch", "1", *wanted, dataset=dataset, XLA_FLAGS=quickly)
    assert trained.returncode == 0, trained.stderr
    assert "jit_compile" not in trained.stderr


@pytest.mark.slow
def test_a_failed_run_is_one_line_and_a_traceback_only_where_asked_for(start: Start, dataset: str, home: Path) -> None:
    wrong = [*SMALL, "--learning_rate", "1", "--epoch", "1", "--pause", "1", "--iteration", "missing"]
    ended = start(*wrong, dataset=dataset)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "missing" in ended.stderr.splitlines()[-1]
    assert "Traceback" in start(*wrong, "--debug", dataset=dataset).stderr


def test_a_program_whose_reader_has_ended_says_so_in_one_line() -> None:
    code = (
        "import sys; from argparse import Namespace; from model.console import exit_status; "
        "sys.exit(exit_status('main.py', lambda args: print('a line', flush=True), Namespace(debug=False)))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr == "main.py: stopped, as the program that read its output has ended\n"


def test_setup_names_an_image_and_a_range_for_every_package() -> None:
    text = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert re.match(r"# ?nsml: \S+\n", text)
    needs = re.findall(r'^ {8}"([\w-]+)>=([\d.]+),<[\d.]+",', text, flags=re.MULTILINE)
    assert len(needs) == text.count(">=") - text.count("python_requires")
    lowest = {name: tuple(int(part) for part in version.split(".")) for name, version in needs}
    assert {"tensorflow", "keras", "numpy", "opencv-python-headless", "scikit-learn", "scipy", "h5py"} == lowest.keys()
    assert lowest["keras"] >= (3, 13, 1)  # before it, a model file could run code


def test_hours_and_epochs_are_not_given_together(start: Start) -> None:
    for given in (["--epoch", "3"], ["--set", "epochs=3"]):
        ended = start("--hours", "2", *given)
        assert ended.returncode == 2
        named = given[1].partition("=")[0] if given[0] == "--set" else ""
        assert (
            f"argument --hours: both --hours and {' '.join([given[0], named]).strip()} set the number" in ended.stderr
        )


def test_a_field_that_was_an_argument_is_answered_with_the_way_to_set_it(start: Start) -> None:
    ended = start("--width", "4", "--other", "--jit")
    assert ended.returncode == 2
    assert "a field of the recipe is given as --set width=4 --set jit=VALUE;" in ended.stderr


NETWORK = """
def build_model(settings: Settings) -> keras.Model:
    size = settings.recipe.image_size
    base = keras.applications.MobileNet(input_shape=(size, size, 3), include_top=False, weights=None, pooling="avg")
    inputs = keras.Input((size, size, 3))
    outputs = keras.layers.Dense(len(settings.classes), activation="softmax")(base(inputs))
    return keras.Model(inputs, outputs)
"""


@pytest.mark.slow
def test_a_team_replaces_build_model_alone_to_train_submit_and_report_its_own_network(
    start: Start, dataset: str, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "team"
    for name in ("main.py", "setup.py", ".nsmlignore", "dataprep", "model", "evidence"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        copy(ROOT / name, folder / name)
    file = folder / "model" / "network.py"
    text = file.read_text(encoding="utf-8")
    begin, end = text.index("def build_model("), text.index("def new_network(")
    file.write_text(f"{text[:begin]}{NETWORK}\n\n{text[end:]}", encoding="utf-8")

    def nsml(*words: str) -> str:
        environment = {**os.environ, "NSML_HOME": str(home), "NSML_USER": "other", "PYTHONPATH": str(LIBRARY)}
        ended = subprocess.run(
            [sys.executable, "-m", "nsml", *words], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    assert nsml("check").splitlines()[-1] == "ok: main.py can be submitted"
    nsml("run", "-d", dataset, "-a", "--epoch 1 --image_size 32 --set steps=0 --set baselines=0")
    log = nsml("logs", "-f", f"{dataset}/1")
    assert "ended with exit status 0" in log
    assert "plan: weights random: your own network; --set weights=imagenet if it loads ImageNet's\n" in log
    nsml("model", "pull", f"{dataset}/1", "best", str(tmp_path / "pulled"))
    (stored,) = (tmp_path / "pulled").rglob("settings.json")
    assert '"weights": "random"' in stored.read_text(encoding="utf-8")
    assert "Score: " in nsml("submit", f"{dataset}/1", "best")
    page = Path(nsml("report", f"{dataset}/1", "best").split(": ")[-1].strip())
    shown = page.read_text(encoding="utf-8")
    assert "its heat is left out" not in shown and "the heat of the true class" in shown


def test_the_template_is_checked_without_a_warning(home: Path) -> None:
    command = [sys.executable, "-m", "nsml", "check"]
    checked = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NSML_HOME": str(home), "PYTHONPATH": str(LIBRARY)},
        capture_output=True,
        text=True,
    )
    assert "warning" not in checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[-1] == "ok: main.py can be submitted"


def test_a_checkpoint_to_begin_with_is_looked_up_before_the_photographs_are_prepared(
    start: Start, dataset: str
) -> None:
    ended = start("--recipe", "winning", "--image_size", "40", "--pretrained", f"{dataset}/1:none", dataset=dataset)
    assert ended.returncode == 2 and f"{dataset}/1" in ended.stderr
    assert "preparing photographs" not in ended.stdout


@pytest.mark.slow
def test_the_last_checkpoint_and_best_are_validated_as_they_predict(
    start: Start, dataset: str, home: Path, tmp_path: Path
) -> None:
    from model import checkpoint
    from model.data import read_data
    from model.predict.views import averaged_over

    trained = start(*SMALL, "--epoch", "6", "--set", "views=8", dataset=dataset)
    assert trained.returncode == 0, trained.stderr
    session = re.findall(r"^session team/(SMALL/\d+):", trained.stdout, re.MULTILINE)[0]
    checkpoints = home / "sessions" / "team" / session / "checkpoints"
    before = sorted(path.name for path in checkpoints.iterdir())
    again = start(*SMALL, "--epoch", "6", "--set", "views=8", "--pause", "1", "--iteration", "6", dataset=dataset)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1].startswith("already trained for 6 epochs; to go on, give a larger --epoch, ")
    assert "averaged over" not in again.stdout and "preparing photographs" not in again.stdout
    assert sorted(path.name for path in checkpoints.iterdir()) == before
    photographs = home / "datasets" / "SMALL" / "training" / "train" / "train_data"
    for name in ("6", "best"):
        (settings,) = checkpoints.glob(f"{name}@*/model/**/settings.json")
        network = checkpoint.load(settings.parent)
        data = read_data(photographs, network.settings, tmp_path)
        np.testing.assert_allclose(
            network.validation.probabilities, averaged_over(8, network.predict)(data.validation_images), atol=1e-6
        )

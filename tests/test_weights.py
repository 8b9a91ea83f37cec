"""Saving, loading, going on exactly, and damaged checkpoints."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.checkpoint import network_files as weights
from model.checkpoint.network_files import CheckpointError
from model.network import Network
from model.recipes import transfer
from model.records import Baseline, Predictions, read_predictions, write_predictions
from model.run.devices import start_tensorflow
from model.settings import Settings
from model.vgg import build_vgg
from tests import small_network
from tests.small_network import train

# Keras 3.15 on NumPy 2, when it writes or reads HDF5.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

RECIPE = small_network.recipe(3, 1)


class Stopped(Exception):
    """Stands for whatever ends a training in the middle."""


def train_until(network: Network, folder: Path | None = None, last: int = 0) -> None:
    """Train, and where a folder is given save epoch `last` there and stop."""

    def save(name: object) -> None:
        if folder is not None and name == last:
            weights.save(folder, network)
            raise Stopped

    train(network, RECIPE, small_network.data(), report=lambda **values: None, save=save, save_every=1)


def everything(network: Network) -> list[np.ndarray]:
    return [variable.numpy() for variable in [*network.model.variables, *network.optimizer.variables]]


OPTIMISED: dict[str, dict[str, object]] = {
    "last weights": {},
    "averaged weights": {"ema": 0.9},
    "averaged weights of Adam": {"ema": 0.9, "optimizer": "adam"},
}


@pytest.fixture(scope="module")
def uninterrupted(determinism_ends: None) -> dict[str, Network]:
    """Networks that were trained without a stop, one for each of OPTIMISED."""
    start_tensorflow(0)
    networks = {name: small_network.network(**changed) for name, changed in OPTIMISED.items()}
    for network in networks.values():
        train_until(network)
    return networks


@pytest.mark.parametrize(
    ("last", "optimised", "older"),
    [(2, "last weights", True), (3, "averaged weights", False), (2, "averaged weights of Adam", False)],
    ids=["within a phase, of an older version", "between phases, averaged", "within a phase, averaged, Adam"],
)
def test_going_on_gives_the_same_network_bit_for_bit(
    uninterrupted: dict[str, Network], tmp_path: Path, last: int, optimised: str, older: bool
) -> None:
    with pytest.raises(Stopped):
        train_until(small_network.network(**OPTIMISED[optimised]), tmp_path, last)
    network = weights.load(tmp_path)
    assert network.settings.epoch == last
    if older:  # which did not store the number of steps
        network.settings.steps = 0
    train_until(network)
    assert network.settings == uninterrupted[optimised].settings
    assert network.history == uninterrupted[optimised].history
    for value, wanted in zip(everything(network), everything(uninterrupted[optimised]), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_averaging_changes_nothing_of_how_a_network_is_trained(uninterrupted: dict[str, Network]) -> None:
    plain, averaged = (uninterrupted[name].model.trainable_variables for name in ("last weights", "averaged weights"))
    for value, wanted in zip(averaged, plain, strict=True):
        np.testing.assert_array_equal(value.numpy(), wanted.numpy())


def test_the_file_of_weights_holds_those_that_predict(uninterrupted: dict[str, Network], tmp_path: Path) -> None:
    network = uninterrupted["averaged weights"]
    weights.save(tmp_path, network)
    model = build_vgg(small_network.SIZE, 4, width=4, depth=2)
    model.load_weights(tmp_path / "model.weights.h5")
    images = small_network.data().validation_images
    predicted = network.predict(images)
    np.testing.assert_allclose(model(images.astype("float32"), training=False).numpy(), predicted, atol=1e-5)
    assert np.abs(network.model(images.astype("float32"), training=False).numpy() - predicted).max() > 1e-3
    np.testing.assert_array_equal(weights.load(tmp_path).predict(images), predicted)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    weights.save(tmp_path / "checkpoint", small_network.network(epoch=7, phase="strong", best_loss=0.71, best_epoch=6))
    return tmp_path / "checkpoint"


def test_a_checkpoint_holds_weights_and_json_only(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["model.weights.h5", "settings.json", "training.h5"]
    values = json.loads((saved / "settings.json").read_text(encoding="utf-8"))
    assert values["classes"] == list(small_network.CLASSES)
    assert values["recipe"]["image_size"] == small_network.SIZE
    assert (values["epoch"], values["phase"], values["best_loss"], values["seed"]) == (7, "strong", 0.71, 3)


def test_the_settings_come_back(saved: Path) -> None:
    assert weights.load(saved).settings == small_network.settings(epoch=7, phase="strong", best_loss=0.71, best_epoch=6)


def test_label_numbers_and_the_pattern_of_patients_come_back_and_a_checkpoint_without_them_counts_from_0(
    saved: Path, tmp_path: Path
) -> None:
    settings = small_network.settings(classes=("DMR", "NORMAL"), numbers=(3, 0), patient_pattern="^([^_]+)_")
    weights.save(tmp_path / "chosen", small_network.network(classes=("DMR", "NORMAL"), numbers=(3, 0)))
    assert weights.load(tmp_path / "chosen").numbers == (3, 0)
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    values = {name: value for name, value in settings.to_dict().items() if name not in ("numbers", "patient_pattern")}
    assert Settings.from_dict(values).label_numbers == (0, 1)
    for wrong in ([3], [3, 3], [3, -1], [0, 3, 3], "30"):
        with pytest.raises(ValueError, match="numbers is"):
            Settings.from_dict(settings.to_dict() | {"numbers": wrong})


def test_a_resumed_training_names_other_classes_and_patterns_that_it_ignores() -> None:
    mine = small_network.settings(classes=("DMR", "NORMAL"))
    assert mine.resume({}, {"classes": ("DMR", "NORMAL"), "patient-pattern": None}) == []
    assert mine.resume({}, {"classes": ("dmr", "NOR")}) == []
    assert mine.resume({}, {"num_classes": 4}) == []  # the others have no photographs
    assert mine.resume({}, {"classes": ("NORMAL", "AMD"), "patient-pattern": "x"}) == [
        "ignoring --classes NORMAL,AMD: the checkpoint was trained with DMR,NORMAL",
        "ignoring --patient-pattern x: the checkpoint was trained with none",
    ]


def test_what_is_only_to_predict_does_so_without_the_state_of_training(saved: Path) -> None:
    network = small_network.network(seed=5)
    weights.save(saved, network, with_state=False)
    assert sorted(path.name for path in saved.iterdir()) == ["next.model.weights.h5", "settings.json"]
    images = small_network.data().validation_images
    np.testing.assert_array_equal(weights.load(saved).predict(images), network.predict(images))


def test_keras_reads_the_weights_by_itself(saved: Path) -> None:
    model = build_vgg(small_network.SIZE, 4, width=4, depth=2, seed=99)
    model.load_weights(saved / "model.weights.h5")
    for value, wanted in zip(model.get_weights(), small_network.network().model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_saving_again_replaces_and_leaves_nothing_behind(saved: Path) -> None:
    weights.save(saved, small_network.network(seed=5))
    assert len(list(saved.iterdir())) == 3
    assert weights.load(saved).settings.seed == 5


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_table(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, flip, empty, Path.unlink])
@pytest.mark.parametrize("name", ["model.weights.h5", "training.h5"])
def test_a_damaged_file_is_named_in_one_line(saved: Path, name: str, harm: Callable[[Path], None]) -> None:
    harm(saved / name)
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read \(.*\); use another checkpoint$") as raised:
        weights.load(saved)
    assert "\n" not in str(raised.value)


def rewrite(saved: Path, recipe: dict[str, object] | None = None, **changed: object) -> None:
    path = saved / "settings.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["recipe"].update(recipe or {})
    path.write_text(json.dumps({**values, **changed}), encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": 3}, "format 3"),
        ({"recipe": {"width": "wide"}}, "width is 'wide'"),
        ({"recipe": {"width": 0}}, "width is 0"),
        ({"recipe": {"width": 256}}, "width is 256"),
        ({"epoch": -1}, "epoch is -1"),
        ({"recipe": {"dropout": float("nan")}}, "dropout is nan"),
        ({"surprise": 1}, "surprise is unknown"),
        ({"recipe": {"magic": 1}}, "magic"),
        ({"recipe": {"phases": []}}, "one phase or more"),
        ({"recipe": {"phases": ["strong"]}}, "recipe"),
        ({"classes": ["NORMAL"]}, r"classes is \['NORMAL'\]"),
        ({"files": {}}, "list of files"),
    ],
)
def test_settings_that_make_no_sense_are_refused(saved: Path, changed: dict[str, object], message: str) -> None:
    rewrite(saved, **changed)
    with pytest.raises(
        CheckpointError, match=rf"settings.json cannot be read \(.*{message}.*\); use another checkpoint$"
    ):
        weights.load(saved)


def answered(probabilities: object = ((0.1, 1 / 3, 1e-30, 0.5), (1, 0, 0, 0))) -> Predictions:
    """Predictions for two photographs with awkward names."""
    result = np.array(probabilities, np.float32)
    return Predictions(['AMD/a,"b" 한글.jpg', "AMD/caf\udce9.jpg"], ["12", "RVO/가"], np.array([1, 2]), result)


@pytest.fixture
def answering(tmp_path: Path) -> Path:
    """A checkpoint with validation predictions."""
    network = small_network.network(epoch=2)
    network.validation = answered()
    weights.save(tmp_path / "checkpoint", network)
    return tmp_path / "checkpoint"


def test_validation_predictions_come_back_exactly(answering: Path) -> None:
    loaded, wanted = weights.load(answering).validation, answered()
    assert loaded is not None
    assert (loaded.samples, loaded.patients) == (wanted.samples, wanted.patients)
    np.testing.assert_array_equal(loaded.labels, wanted.labels)
    np.testing.assert_array_equal(loaded.probabilities, wanted.probabilities)
    assert loaded.probabilities.dtype == np.float32


@given(arrays(np.float32, (3, 2), elements=st.floats(0, 1, width=32)))
def test_every_probability_is_read_back_bit_for_bit(probabilities: np.ndarray) -> None:
    wanted = Predictions(["a", "b", "c"], ["1", "1", "2"], np.array([0, 1, 0]), probabilities)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "validation.csv"
        write_predictions(path, wanted, ("NORMAL", "AMD"))
        outputs = read_predictions(path, ("NORMAL", "AMD"))
    np.testing.assert_array_equal(outputs.probabilities, wanted.probabilities)


def test_validation_predictions_are_a_table_that_a_person_can_read(answering: Path) -> None:
    lines = (answering / "validation.csv").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    assert lines[0] == "sample,patient,label,NORMAL,AMD,RVO,DMR"
    assert lines[2] == "AMD/caf\udce9.jpg,RVO/가,RVO,1.0,0.0,0.0,0.0"


@pytest.mark.parametrize("harm", [cut_table, flip, empty, Path.unlink])
def test_damaged_validation_predictions_are_named_in_one_line(answering: Path, harm: Callable[[Path], None]) -> None:
    harm(answering / "validation.csv")
    with pytest.raises(CheckpointError, match=r"validation\.csv cannot be read \(.*\); use another checkpoint$"):
        weights.load(answering)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["sample,patient,label,NORMAL,AMD"], "its columns"),
        (["sample,patient,label,NORMAL,AMD,RVO,DMR", "a,1,AMD,0.5"], "columns"),
        (["sample,patient,label,NORMAL,AMD,RVO,DMR", "a,1,CAT,0,0,0,1"], "CAT"),
        (["sample,patient,label,NORMAL,AMD,RVO,DMR", "a,1,AMD,0,0,0,much"], "much"),
        (['sample,patient,label,NORMAL,AMD,RVO,DMR,"'], "end of data"),
        ([], "its columns"),
    ],
)
def test_validation_predictions_of_another_kind_are_refused(answering: Path, lines: list[str], message: str) -> None:
    path = answering / "validation.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = json.loads((answering / "settings.json").read_text(encoding="utf-8"))
    described = {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    rewrite(answering, files={**settings["files"], "validation.csv": described})
    with pytest.raises(CheckpointError, match=rf"validation\.csv cannot be read \(.*{message}.*\); use another"):
        weights.load(answering)


def test_a_checkpoint_without_validation_predictions_still_loads(saved: Path) -> None:
    assert weights.load(saved).validation is None


def test_saving_what_was_loaded_keeps_its_validation_predictions(answering: Path, tmp_path: Path) -> None:
    weights.save(tmp_path / "again", weights.load(answering))
    assert (tmp_path / "again" / "validation.csv").read_bytes() == (answering / "validation.csv").read_bytes()


def test_saving_again_without_predictions_leaves_none_of_the_earlier_ones(answering: Path) -> None:
    weights.save(answering, small_network.network())
    assert not (answering / "validation.csv").exists()
    assert weights.load(answering).validation is None


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_settings_that_are_no_json_object_are_refused(saved: Path, text: str) -> None:
    (saved / "settings.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"settings\.json cannot be read"):
        weights.load(saved)


def test_weights_of_another_width_are_refused(saved: Path) -> None:
    rewrite(saved, {"width": 5})
    with pytest.raises(CheckpointError, match=r"model\.weights\.h5 cannot be read"):
        weights.load(saved)


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"^{tmp_path} has no settings.json; give the folder"):
        weights.load(tmp_path)


def test_a_failed_write_leaves_the_checkpoint_before_it(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        weights.save(saved, small_network.network(seed=5))
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_a_resumed_training_changes_what_it_may_and_names_what_it_ignores() -> None:
    mine = small_network.settings(width=8, folds=5)
    before = mine.recipe
    assert mine.resume({"width": "8", "epochs": 4}, {"seed": 3, "folds": None}) == []
    assert mine.recipe == before
    changes = {"width": "24", "class_weights": "0", "gentle.rate": "0.5", "epochs": 60}
    assert mine.resume(changes, {"num_classes": 2, "folds": 0, "recipe": "winning"}) == [
        "ignoring width=24: the checkpoint was trained with 8",
        "ignoring --num_classes 2: the checkpoint was trained with 4",
        "ignoring --folds 0: the checkpoint was trained with 5",
        "ignoring --recipe winning: the checkpoint was trained with small",
    ]
    assert (mine.recipe.width, mine.recipe.class_weights, mine.recipe.epochs) == (8, 0.0, 60)
    assert mine.recipe.phases[1].rate == 0.5


def test_a_resumed_training_keeps_its_network_also_where_another_could_not_have_its_weights() -> None:
    mine = replace(small_network.settings(), recipe=replace(transfer(), weights="imagenet"))
    assert mine.resume({"network": "vgg", "weights": "random"}, {}) == [
        "ignoring network=vgg: the checkpoint was trained with efficientnet_lite0",
        "ignoring weights=random: the checkpoint was trained with imagenet",
    ]


def test_how_the_epochs_went_and_what_was_to_beat_come_back(uninterrupted: dict[str, Network], tmp_path: Path) -> None:
    network = replace(uninterrupted["last weights"], baselines=[Baseline("always 정상, all", 0.5, 0.25, 0.745)])
    weights.save(tmp_path, network)
    loaded = weights.load(tmp_path)
    assert loaded.history == network.history
    assert loaded.baselines == network.baselines
    assert [(epoch.epoch, epoch.phase) for epoch in loaded.history] == [
        (1, "strong"), (2, "strong"), (3, "strong"), (4, "gentle")
    ]  # fmt: skip
    assert loaded.settings == network.settings


def test_a_field_that_an_older_program_did_not_know_gets_its_default(saved: Path) -> None:
    values = json.loads((saved / "settings.json").read_text(encoding="utf-8"))
    del values["recipe"]["views"], values["share"]
    (saved / "settings.json").write_text(json.dumps(values), encoding="utf-8")
    settings = weights.load(saved).settings
    assert (settings.recipe.views, settings.share) == (1, 1.0)


@pytest.mark.parametrize("lines", [["epoch,phase"], [], ["epoch", "1"], ["{columns}", "1,strong,x,1,1,1,1,1"]])
def test_a_history_of_another_kind_is_refused(
    uninterrupted: dict[str, Network], tmp_path: Path, lines: list[str]
) -> None:
    weights.save(tmp_path, uninterrupted["last weights"])
    path = tmp_path / "history.csv"
    columns = path.read_text(encoding="utf-8").splitlines()[0]
    path.write_text("\n".join(lines).format(columns=columns), encoding="utf-8")
    settings = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    described = {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    rewrite(tmp_path, files={**settings["files"], "history.csv": described})
    with pytest.raises(CheckpointError, match=r"history\.csv cannot be read \(.*\); use another"):
        weights.load(tmp_path)


def test_a_disk_without_space_is_said_before_hdf5_writes_to_it(saved: Path) -> None:
    network, before = weights.load(saved), {path.name: path.read_bytes() for path in saved.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            weights.save(saved, network)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before

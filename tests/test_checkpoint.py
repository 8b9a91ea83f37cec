"""Ensembles: what they predict, and how they are kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.photograph import Preparation, prepare_array
from model import checkpoint
from model.checkpoint import CheckpointError
from model.ensemble import Ensemble, combine
from model.network import Network
from model.predict import inference
from model.predict.inference import infer
from model.records import Predictions
from tests import small_network

# Keras 3.15 on NumPy 2, when it writes or reads HDF5.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

LARGER = Preparation(24)
CLASSES = small_network.CLASSES


def answered(names: list[str], seed: int = 0) -> Predictions:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(4), len(names)).astype(np.float32)
    return Predictions(names, [f"of {name}" for name in names], np.arange(len(names)) % 4, probabilities)


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    return [
        small_network.network(seed=1),
        small_network.network(seed=2, image_size=LARGER.size, width=5),
        small_network.network(seed=3),
    ]


@pytest.fixture
def ensemble(networks: list[Network]) -> Ensemble:
    return Ensemble(networks, [1.0, 2.0, 0.5], answered(["a.jpg", "b.jpg"]))


def photographs(count: int = 5) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 50, 60, 3), np.uint8))


def prepared(preparation: Preparation) -> np.ndarray:
    return np.stack([prepare_array(photograph, preparation) for photograph in photographs()])


def test_an_ensemble_predicts_the_weighted_mean_of_its_networks(ensemble: Ensemble) -> None:
    first, second, third = (
        network.model(prepared(network.settings.preparation).astype("float32"), training=False).numpy()
        for network in ensemble.networks
    )
    assert ensemble.preparations == (Preparation(small_network.SIZE), LARGER)
    probabilities = ensemble.predict(*map(prepared, ensemble.preparations))
    np.testing.assert_allclose(probabilities, (first + 2 * second + 0.5 * third) / 3.5, atol=1e-6)
    assert probabilities.dtype == np.float32


def test_each_photograph_is_prepared_once_for_all_networks_that_want_it_so(ensemble: Ensemble, monkeypatch) -> None:
    sizes: list[int] = []

    def counted(photograph: np.ndarray, preparation: Preparation) -> np.ndarray:
        sizes.append(preparation.size)
        return prepare_array(photograph, preparation)

    monkeypatch.setattr(inference, "prepare_array", counted)
    predictions = infer([*photographs(), None], ensemble.predict, ensemble.preparations, batch_size=2)
    assert sorted(sizes) == [16] * 6 + [24] * 5  # the first preparation rejects an invalid photograph
    wanted = ensemble.predict(*map(prepared, ensemble.preparations))
    np.testing.assert_allclose(predictions[:5], wanted, atol=1e-6)
    assert len(predictions) == 6


def test_an_ensemble_comes_back_as_it_was_saved(ensemble: Ensemble, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, ensemble)
    loaded = checkpoint.load(tmp_path)
    assert isinstance(loaded, Ensemble)
    images = [prepared(preparation) for preparation in ensemble.preparations]
    np.testing.assert_array_equal(loaded.predict(*images), ensemble.predict(*images))
    assert loaded.weights == ensemble.weights
    assert [network.settings for network in loaded.networks] == [network.settings for network in ensemble.networks]
    assert loaded.validation is not None and ensemble.validation is not None
    assert loaded.validation.samples == ensemble.validation.samples
    np.testing.assert_array_equal(loaded.validation.probabilities, ensemble.validation.probabilities)
    assert not list(tmp_path.rglob("training.h5"))


def test_a_network_whose_weights_are_averaged_predicts_the_same_as_a_member(tmp_path: Path) -> None:
    network = small_network.network(ema=0.9)
    for variable in network.model.trainable_variables:
        variable.assign(variable + 0.1)
    checkpoint.save(tmp_path, Ensemble([network], [1.0]))
    images = prepared(Preparation(small_network.SIZE))
    loaded = checkpoint.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(images), network.predict(images))


def test_a_network_takes_the_folds_before_it_along(tmp_path: Path, networks: list[Network]) -> None:
    network = small_network.network(fold=1, folds=2, epoch=1)
    earlier = small_network.network(fold=0, folds=2, epoch=4)
    earlier.validation = answered(["a.jpg"])
    network.earlier = (earlier,)
    checkpoint.save(tmp_path, network)
    loaded = checkpoint.load(tmp_path)
    assert isinstance(loaded, Network)
    assert loaded.settings == network.settings
    assert [each.settings for each in loaded.earlier] == [earlier.settings]
    assert loaded.earlier[0].validation is not None
    assert loaded.earlier[0].validation.samples == ["a.jpg"]
    checkpoint.save(tmp_path, networks[0])
    again = checkpoint.load(tmp_path)
    assert isinstance(again, Network)
    assert again.earlier == ()


def test_a_network_saved_where_an_ensemble_was_is_what_is_loaded(ensemble: Ensemble, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, ensemble)
    checkpoint.save(tmp_path, ensemble.networks[0])
    assert isinstance(checkpoint.load(tmp_path), Network)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [flip, Path.unlink])
@pytest.mark.parametrize("name", ["member1/model.weights.h5", "member0/settings.json", "validation.csv"])
def test_a_damaged_file_of_an_ensemble_is_named_in_one_line(
    ensemble: Ensemble, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    checkpoint.save(tmp_path, ensemble)
    harm(tmp_path / name)
    with pytest.raises(CheckpointError, match=rf"{name} cannot be read \(.*\); use another checkpoint$") as raised:
        checkpoint.load(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": 2}, "format 1"),
        ({"weights": "heavy"}, "not a list of numbers"),
        ({"weights": [1.0, 2.0]}, "list of files"),
        ({"weights": [1.0, 2.0, -1.0]}, "a weight is -1.0"),
        ({"files": {}}, "list of files"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(
    ensemble: Ensemble, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    checkpoint.save(tmp_path, ensemble)
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changed}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"ensemble\.json cannot be read \(.*{message}"):
        checkpoint.load(tmp_path)


def test_networks_that_do_not_fit_are_refused(networks: list[Network]) -> None:
    with pytest.raises(ValueError, match="NORMAL, AMD, RVO, DMR, another NORMAL, AMD; use networks with the same"):
        Ensemble([networks[0], small_network.network(classes=("NORMAL", "AMD"))], [1.0, 1.0])
    with pytest.raises(ValueError, match="3 networks and 1 weights"):
        Ensemble(networks, [1.0])
    with pytest.raises(ValueError, match="a weight is 0"):
        Ensemble(networks[:1], [0.0])


@given(
    st.lists(st.one_of(st.none(), st.lists(st.sampled_from("abcdef"), unique=True)), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 100), min_size=4, max_size=4),
)
def test_validation_predictions_are_averaged_over_those_who_validated_on_a_photograph(
    held: list[list[str] | None], weights: list[float]
) -> None:
    result = [None if names is None else of_letters(names, number) for number, names in enumerate(held)]
    table = pandas.DataFrame(
        [
            {"sample": sample, "weight": weight, **dict(zip("0123", weight * row.astype(float), strict=True))}
            for predictions, weight in zip(result, weights, strict=False)
            if predictions is not None
            for sample, row in zip(predictions.samples, predictions.probabilities, strict=True)
        ]
    )
    combined = combine(result, weights[: len(result)])
    if table.empty:
        assert combined is None
        return
    sums = table.groupby("sample").sum()
    assert combined is not None
    assert list(combined.samples) == list(sums.index)
    np.testing.assert_allclose(
        combined.probabilities, sums[list("0123")].div(sums["weight"], axis=0).to_numpy(), rtol=1e-5, atol=1e-7
    )
    assert combined.labels.tolist() == ["abcdef".index(sample) % 4 for sample in combined.samples]
    assert combined.patients == [f"of {sample}" for sample in combined.samples]


def of_letters(names: list[str], seed: int) -> Predictions:
    """Predictions whose labels and patients depend on the names only."""
    result = answered(names, seed)
    labels = np.array(["abcdef".index(name) % 4 for name in names], int)
    return Predictions(result.samples, result.patients, labels, result.probabilities)


def test_networks_that_contradict_each_other_about_a_photograph_are_not_put_together() -> None:
    one, other = answered(["a.jpg", "b.jpg"]), answered(["b.jpg"])
    with pytest.raises(ValueError, match=r"'b\.jpg' has different classes or patients"):
        combine([one, other], [1.0, 1.0])

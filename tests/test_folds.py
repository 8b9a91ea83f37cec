"""Training all folds: each as it would be alone, stopped and resumed, and the ensemble of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import checkpoint
from model.data import Data
from model.ensemble import Ensemble
from model.folds import train_folds
from model.network import Network, new_network
from model.predict.views import averaged_over
from model.run.devices import start_tensorflow
from model.settings import Settings
from tests import small_network
from tests.small_network import train

# Keras 3.15 on NumPy 2, when it writes or reads HDF5.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

RECIPE = small_network.recipe(1, 1)
COUNT = 24


class Stopped(Exception):
    """Stands for whatever ends a training in the middle."""


def read(settings: Settings) -> Data:
    """Every second image validates, which of them the fold says."""
    whole = small_network.data(COUNT * 4 // 3)
    images, labels = whole.train_images[:COUNT], whole.train_labels[:COUNT]
    side = np.arange(COUNT) // 4 % 2 == settings.fold
    names = [f"{number:02d}.jpg" for number in np.flatnonzero(side)]
    return Data(images[~side], labels[~side], images[side], labels[side], names, names)


class Session:
    """What a training reports and keeps, on disk; it stops when it has kept a checkpoint `stop` times over."""

    def __init__(self, folder: Path, stop: tuple[str, int] | None = None) -> None:
        self.folder, self.stop = folder, stop
        self.reports: list[dict[str, Any]] = []
        self.kept: list[str] = []

    def report(self, **values: Any) -> None:
        self.reports.append(values)

    def keep(self, name: str, kept: Network | Ensemble) -> None:
        checkpoint.save(self.folder / name, kept)
        self.kept.append(name)
        if self.stop and self.kept.count(self.stop[0]) == self.stop[1]:
            raise Stopped

    def run(self, network: Network | None = None, views: int = 1) -> Ensemble:
        return train_folds(
            network, small_network.settings(folds=2, recipe=replace(RECIPE, views=views)), begin=new_network, read=read,
            report=self.report, keep=self.keep, save_every=1,
        )  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, determinism_ends: None) -> Session:
    """One that trained both folds without a stop."""
    start_tensorflow(0)
    result = Session(tmp_path_factory.mktemp("session"))
    result.run(views=8)
    return result


def ensemble_of(session: Session) -> Ensemble:
    loaded = checkpoint.load(session.folder / "all")
    assert isinstance(loaded, Ensemble)
    return loaded


def assert_same_weights(result: Network, wanted: Network) -> None:
    for mine, theirs in zip(result.model.get_weights(), wanted.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_each_fold_is_saved_and_reported_by_its_number_and_the_ensemble_at_the_end(session: Session) -> None:
    assert session.kept == ["fold0", "fold0", "fold1", "fold1", "all"]
    steps = [
        (values["step"], sorted({key.partition("__")[0] for key in values} - {"step", "summary"}))
        for values in session.reports
    ]
    assert steps == [(1, ["fold0"]), (2, ["fold0"]), (1, ["fold1"]), (2, ["fold1"]), (2, ["val"])]


def test_the_network_of_a_fold_is_that_of_the_fold_alone(session: Session) -> None:
    alone = small_network.network(folds=2, fold=1)
    train(alone, RECIPE, read(alone.settings), report=lambda **values: None, save=lambda name: None)
    assert_same_weights(ensemble_of(session).networks[1], alone)
    loaded = checkpoint.load(session.folder / "fold1")
    assert isinstance(loaded, Network)
    assert_same_weights(loaded, alone)


def test_each_photograph_is_validated_once_by_the_network_that_did_not_see_it(session: Session) -> None:
    result = ensemble_of(session)
    assert result.validation is not None
    assert list(result.validation.samples) == [f"{number:02d}.jpg" for number in range(COUNT)]
    for network in result.networks:
        data = read(network.settings)
        places = [result.validation.samples.index(name) for name in data.validation_samples]
        np.testing.assert_allclose(
            result.validation.probabilities[places],
            averaged_over(8, network.predict)(data.validation_images),
            atol=1e-6,
        )
        assert result.validation.labels[places].tolist() == data.validation_labels.tolist()
    right = result.validation.probabilities.argmax(axis=1) == result.validation.labels
    assert session.reports[-1]["val__accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("stop", "kept"),
    [(("fold1", 1), ["fold1", "all"]), (("fold0", 2), ["fold1", "fold1", "all"])],
    ids=["within a fold", "between folds"],
)
def test_a_stopped_training_goes_on_in_its_fold_as_if_it_had_not_stopped(
    session: Session, tmp_path: Path, stop: tuple[str, int], kept: list[str]
) -> None:
    with pytest.raises(Stopped):
        Session(tmp_path, stop).run(views=8)
    network = checkpoint.load(tmp_path / stop[0])
    assert isinstance(network, Network)
    # As a fork does, in a session without the checkpoints of the folds before.
    resumed = Session(tmp_path / "fork")
    resumed.run(network, views=8)
    assert resumed.kept == kept
    result, wanted = ensemble_of(resumed), ensemble_of(session)
    assert [network.settings for network in result.networks] == [network.settings for network in wanted.networks]
    for mine, theirs in zip(result.networks, wanted.networks, strict=True):
        assert_same_weights(mine, theirs)
    assert result.validation is not None and wanted.validation is not None
    np.testing.assert_array_equal(result.validation.probabilities, wanted.validation.probabilities)


def test_a_fold_trained_alone_is_taken_and_the_others_are_trained_besides(session: Session, tmp_path: Path) -> None:
    trained = checkpoint.load(session.folder / "fold1")
    assert isinstance(trained, Network)
    resumed = Session(tmp_path)
    result = resumed.run(replace(trained, earlier=()), views=8)
    assert resumed.kept == ["fold0", "fold0", "all"]
    for mine, theirs in zip(result.networks, ensemble_of(session).networks, strict=True):
        assert_same_weights(mine, theirs)

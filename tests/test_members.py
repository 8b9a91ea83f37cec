"""Checkpoints of other sessions, as members of an ensemble and to begin with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ensemble as entry
from model import checkpoint
from model.ensemble import Ensemble
from model.network import Network
from model.records import Predictions
from model.run.arguments import SessionCheckpoint, session_checkpoint
from model.run.other_sessions import MemberError, begin, fetch, take_weights, together
from tests import small_network

# Keras 3.15 on NumPy 2, when it writes or reads HDF5.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning")

FIRST, SECOND = SessionCheckpoint("team/DEMO/1", "best"), SessionCheckpoint("team/DEMO/2", "30")


def validated(network: Network, *names: str) -> Network:
    probabilities = np.tile(np.float32([0.1, 0.2, 0.3, 0.4]), (len(names), 1))
    network.validation = Predictions(names, names, np.zeros(len(names), int), probabilities)
    return network


def loading(folder: Path) -> Callable[..., None]:
    """Stands for nsml.load, of checkpoints kept below `folder`."""

    def load(name: str, load_fn: Callable[[str], object], session: str) -> None:
        if not (folder / session / name).is_dir():
            raise FileNotFoundError(f"session {session} has no checkpoint {name!r}")
        load_fn(str(folder / session / name))

    return load


def test_a_session_and_a_checkpoint_are_parsed() -> None:
    assert session_checkpoint("team/DEMO/2:30") == SECOND
    assert session_checkpoint("team/DEMO/2:a:b").checkpoint == "a:b"
    assert str(SECOND) == "team/DEMO/2:30"
    assert (SECOND.dataset, session_checkpoint("DEMO/2:30").dataset) == ("DEMO", "DEMO")


@pytest.mark.parametrize("text", ["team/DEMO/2", ":best", "team/DEMO/2:", ""])
def test_what_names_no_checkpoint_of_a_session_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"is not SESSION:CHECKPOINT, as in"):
        session_checkpoint(text)


def test_a_member_is_fetched_and_one_that_is_missing_or_no_checkpoint_is_named_in_one_line(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "team/DEMO/1/best", small_network.network(seed=7))
    assert fetch(FIRST, loading(tmp_path)).settings.seed == 7
    with pytest.raises(MemberError, match=r"^team/DEMO/2:30 cannot be used: .*has no checkpoint '30'"):
        fetch(SECOND, loading(tmp_path))
    (tmp_path / "team/DEMO/2/30").mkdir(parents=True)
    with pytest.raises(MemberError, match=r"^team/DEMO/2:30 cannot be used: .* has no settings.json") as raised:
        fetch(SECOND, loading(tmp_path))
    assert "\n" not in str(raised.value)


def test_the_networks_of_a_member_that_is_an_ensemble_share_its_weight() -> None:
    one, two, three = (small_network.network(seed=seed) for seed in (1, 2, 3))
    ensemble = together([FIRST, SECOND], [Ensemble([one, two], [3.0, 1.0]), three], [2.0, 1.0])
    assert ensemble.networks == [one, two, three]
    assert ensemble.weights == [1.5, 0.5, 1.0]
    assert ensemble.validation is None


def test_validation_predictions_are_put_together_within_a_dataset_only() -> None:
    one, two = validated(small_network.network(), "a", "b"), validated(small_network.network(), "b", "c")
    ensemble = together([FIRST, SECOND], [one, two], [1.0, 1.0])
    assert ensemble.validation is not None
    assert list(ensemble.validation.samples) == ["a", "b", "c"]
    elsewhere = SessionCheckpoint("team/OTHER/1", "best")
    assert together([FIRST, elsewhere], [one, two], [1.0, 1.0]).validation is None


def test_members_of_other_classes_are_named_with_theirs() -> None:
    with pytest.raises(
        MemberError, match=r"^team/DEMO/1:best has the classes NORMAL, AMD, RVO, DMR, and team/DEMO/2:30 NORM"
    ):
        together(
            [FIRST, SECOND],
            [small_network.network(), small_network.network(classes=("NORMAL", "AMD"))],
            [1.0, 1.0],
        )


def test_members_whose_classes_have_other_label_numbers_are_refused() -> None:
    one, other = (small_network.network(classes=("A", "B"), numbers=numbers) for numbers in ((0, 1), (1, 0)))
    with pytest.raises(MemberError, match=r"of team/DEMO/1:best and team/DEMO/2:30 have different label numbers"):
        together([FIRST, SECOND], [one, other], [1.0, 1.0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "argument --members: name one checkpoint or more"),
        (["--members", "best"], "argument --members: 'best' is not SESSION:CHECKPOINT"),
        (["--members", "a/B/1:2", "--weights", "1", "2"], "argument --weights: there are 2 for 1 members"),
        (["--members", "a/B/1:2", "--weights", "-1"], "argument --weights: "),
    ],
)
def test_a_wrong_argument_of_the_entry_file_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        entry.parse(words)
    assert raised.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ensemble.py: {message}")


def test_a_submit_needs_no_members() -> None:
    assert entry.parse(["--mode", "test", "--iteration", "ensemble"]).members is None


def values(network: Network) -> list[np.ndarray]:
    return [array.copy() for array in network.model.get_weights()]


def test_a_network_begins_with_all_weights_of_one_of_the_same_classes_and_another_size() -> None:
    network, other = small_network.network(seed=1), small_network.network(seed=2, image_size=8)
    take_weights(network, other)
    for value, wanted in zip(values(network), values(other), strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_the_last_layer_keeps_its_own_weights_if_the_classes_differ() -> None:
    network, other = small_network.network(seed=1), small_network.network(seed=2, classes=("NORMAL", "AMD"))
    before = values(network)
    take_weights(network, other)
    for value, wanted in zip(values(network)[:-2], values(other)[:-2], strict=True):
        np.testing.assert_array_equal(value, wanted)
    for value, wanted in zip(values(network)[-2:], before[-2:], strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_averaged_weights_are_begun_with_and_averages_begin_at_them() -> None:
    other = small_network.network(seed=2, ema=0.9)
    average = values(other)
    for variable in other.model.trainable_variables:
        variable.assign(variable + 1.0)
    network = small_network.network(seed=1, ema=0.5)
    take_weights(network, other)
    for value, wanted in zip(values(network), average, strict=True):
        np.testing.assert_array_equal(value, wanted)
    for variable in network.model.trainable_variables:
        np.testing.assert_array_equal(network.value(variable), variable.numpy())


def test_a_network_of_another_width_or_an_ensemble_cannot_be_begun_with(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "team/DEMO/1/best", small_network.network(width=5))
    with pytest.raises(MemberError, match=r"^team/DEMO/1:best cannot be used: its layer block1_conv1 .*width 5"):
        begin(small_network.settings(), FIRST, loading(tmp_path))
    checkpoint.save(tmp_path / "team/DEMO/2/30", Ensemble([small_network.network()], [1.0]))
    with pytest.raises(MemberError, match=r"^team/DEMO/2:30 is an ensemble of 1 networks; name"):
        begin(small_network.settings(), SECOND, loading(tmp_path))


def test_a_network_of_another_name_cannot_be_begun_with() -> None:
    other = small_network.network(network="efficientnet_lite0", image_size=32)
    with pytest.raises(ValueError, match=r"^its network is efficientnet_lite0, not vgg; give --set network=eff"):
        take_weights(small_network.network(), other)


def test_an_ensemble_stays_until_the_next_in_its_folder_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = [small_network.network(seed=seed) for seed in (1, 2)]
    checkpoint.save(tmp_path, Ensemble(networks, [1.0, 1.0]))
    for seed in (3, 4):  # from the first names of the files to the others, and back
        checkpoint.save(tmp_path, Ensemble([small_network.network(seed=seed)], [1.0]))
        before = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
        assert len(before) == 3  # weights, settings, ensemble.json: no file of an earlier ensemble
        with monkeypatch.context() as patched:
            patched.setattr("json.dumps", None)  # fails before the first settings.json
            with pytest.raises(TypeError):
                checkpoint.save(tmp_path, Ensemble(networks, [1.0, 1.0]))
        assert len(checkpoint.load(tmp_path).networks) == 1
        assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == before

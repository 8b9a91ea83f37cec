"""What a network answers about the validation photographs, and how well that scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .calibration import fit_temperature
from .network import Network
from .predictions import Predictions
from .predictor import Predict
from .score import Score, score
from .symmetries import symmetric
from .training import Data


def validate(predict: Predict, data: Data) -> Predictions:
    """What `predict` answers about the validation photographs of `data`, which names them."""
    return Predictions(
        data.validation_samples, data.validation_patients, data.validation_labels, predict(data.validation_images)
    )


def score_of(predictions: Predictions) -> Score:
    """The scores of the most probable classes."""
    return score(predictions.labels, predictions.probabilities.argmax(axis=1))


def validate_with_symmetries(
    network: Network, data: Data, report: Callable[..., None], save: Callable[[Any], None]
) -> None:
    """Validate as `infer` predicts where it averages over symmetries, and keep that as the checkpoint `tta`.

    Once, after the last epoch: after each it would take longer than the epoch. The checkpoint of the last epoch has the same weights
    and the predictions without averaging, so that the two show what averaging brings.
    """
    network.validation = validate(symmetric(network.predict), data)
    network.settings.temperature = fit_temperature(network.validation.probabilities, data.validation_labels)
    result = score_of(network.validation)
    print(f"averaged over symmetries: val acc {result.accuracy:.3f}  score {result.value:.2f}", flush=True)
    report(summary=True, step=network.settings.epoch, tta__score=result.value, tta__accuracy=result.accuracy)
    save("tta")

"""Validation: predictions for the validation photographs, and their scores."""

from __future__ import annotations

from .console import Progress
from .data import Data
from .metrics import Score, score_of
from .network import Network
from .predict.predictor import Predict
from .predict.views import averaged_over
from .records import Predictions


def validate(predict: Predict, data: Data) -> Predictions:
    """Predictions for the validation photographs of `data`, with their names and patients."""
    return Predictions(
        data.validation_samples, data.validation_patients, data.validation_labels, predict(data.validation_images)
    )


def validate_with_views(network: Network, data: Data) -> Score:
    """Validate a network with predictions averaged over views, as in `infer`: sets its `validation`, and returns the scores.

    Only after the last epoch, as it may take longer than an epoch.
    """
    progress = Progress(f"validating {network.views} views")
    network.validation = validate(averaged_over(network.views, network.predict, progress), data)
    network.settings.validated_views = network.views
    return score_of(network.validation)

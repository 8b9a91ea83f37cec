"""A network in training: the model, the optimiser that trains it, and what is known about both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from dataprep.photograph import Preparation

from . import averaging
from .calibration import scaled
from .history import Epoch
from .predictions import Predictions
from .predictor import Predict, predictor
from .radam import RAdam
from .settings import Settings
from .vgg import NORM_MOMENTUM, build_vgg

# In which the network computes while it learns; its weights are float32 in all of them.
PRECISIONS = ("float32", "bfloat16", "float16")
OPTIMIZERS = ("radam", "adam")


@dataclass
class Network:
    """What a checkpoint holds. `predict` gives the probabilities, float32 (n, classes), of prepared images, see `predictor`.

    `validation` is what it answered about the validation photographs after its last epoch, None before the first; these probabilities
    are as `predict` gives them. `history` is how each epoch went. `earlier` are the networks of the folds that the same training has
    finished, which travel in its checkpoints, see `model.folds`.
    """

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    settings: Settings
    validation: Predictions | None = None
    history: list[Epoch] = field(default_factory=list)
    earlier: tuple[Network, ...] = ()
    predict: Predict = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.predict = predictor(self.model, read=averaging.reader(self.optimizer, self.model.trainable_variables))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.settings.classes

    @property
    def preparations(self) -> tuple[Preparation, ...]:
        """How the images that `predict` takes are prepared, one array of them each, as with an `Ensemble`."""
        return (self.settings.preparation,)

    def probabilities(self, images: Any) -> np.ndarray:
        """What `predict` answers, calibrated: float32 (n, classes). The most probable class is the same."""
        return scaled(self.predict(images), self.settings.temperature)


def new_network(settings: Settings) -> Network:
    """An untrained network, the same for the same settings. ValueError where one is out of range."""
    if settings.precision not in PRECISIONS:
        raise ValueError(f"precision is {settings.precision!r}; give one of {', '.join(PRECISIONS)}")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if settings.precision == "float32" else f"mixed_{settings.precision}")
    try:
        model = build_vgg(
            settings.preparation.size,
            len(settings.classes),
            settings.width,
            settings.depth,
            settings.dropout,
            settings.batch_norm,
            seed=settings.seed,
            norm_momentum=max(NORM_MOMENTUM, settings.ema),
        )
    finally:
        keras.config.set_dtype_policy(policy)
    optimizer = _new_optimizer(settings)
    optimizer.build(model.trainable_variables)
    averaging.begin(optimizer, model.trainable_variables)
    # Shifts and scales are no weights of connections: a penalty on them would only work against the normalisation.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return Network(model, optimizer, settings)


def _new_optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer is {settings.optimizer!r}; give one of {', '.join(OPTIMIZERS)}")
    if settings.optimizer == "radam":
        return RAdam(l2=settings.l2, **averaging.optimizer_arguments(settings.ema))
    if settings.l2:
        raise ValueError(f"l2 is {settings.l2} and Keras' Adam has no such penalty; give 0, or optimizer radam")
    # The epsilon is that of RAdam, so that they differ in nothing but what is rectified.
    return keras.optimizers.Adam(epsilon=1e-8, **averaging.optimizer_arguments(settings.ema))

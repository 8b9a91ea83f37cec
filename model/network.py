"""A network in training: the model that a recipe names, the optimiser that trains it, and the record of its training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from dataprep.photograph import Preparation

from .efficientnet_lite import build_efficientnet_lite0
from .predict.predictor import Predict, predictor
from .pretrained_weights import load_lite0
from .radam import RAdam
from .records import Baseline, Epoch, Predictions
from .settings import Settings
from .vgg import NORM_MOMENTUM, build_vgg
from .weight_average import WeightAverage


@dataclass
class Network:
    """What a checkpoint holds.

    Attributes:
        model: from float32 (n, size, size, 3), BGR in 0..255, to float32 probabilities (n, classes).
        optimizer: built for the model's trainable variables.
        settings: recipe, classes, split, and how far the training is.
        average: of the weights, where the recipe predicts with averaged ones.
        validation: the predictions for the validation photographs after the last epoch; None before the first.
        history: a record an epoch.
        baselines: what the training has to beat, on the same validation photographs; empty where none were computed.
        earlier: the networks of the folds that the same training has finished, which travel in its checkpoints.
        predict: probabilities, float32 (n, classes), of prepared images, uint8 (n, size, size, 3).
    """

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    settings: Settings
    average: WeightAverage | None = None
    validation: Predictions | None = None
    history: list[Epoch] = field(default_factory=list)
    baselines: list[Baseline] = field(default_factory=list)
    earlier: tuple[Network, ...] = ()
    predict: Predict = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.predict = predictor(self.model, precision=self.settings.recipe.predict_precision, read=self.value)

    def value(self, variable: Any) -> np.ndarray:
        """The averaged value of a variable if there is one, else the current one."""
        return self.average.value(variable) if self.average else np.asarray(variable.numpy())

    def averaged(self) -> AbstractContextManager[None]:
        """Within it, the model holds the weights that predict."""
        return self.average.in_place() if self.average else nullcontext()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self.settings.classes

    @property
    def preparations(self) -> tuple[Preparation, ...]:
        """How the images that `predict` takes are prepared, one array of them each, as with an `Ensemble`."""
        return (self.settings.preparation,)

    @property
    def views(self) -> int:
        """Flips and turns over which predictions are averaged: 1 or 8."""
        return self.settings.recipe.views


def build_model(settings: Settings) -> keras.Model:
    """The model that the recipe names, with random weights. To try another network, add it here and to `Recipe.network`."""
    recipe, classes = settings.recipe, len(settings.classes)
    norm_momentum = max(NORM_MOMENTUM, recipe.ema)
    match recipe.network:
        case "efficientnet_lite0":
            return build_efficientnet_lite0(
                recipe.image_size, classes, recipe.dropout, seed=settings.seed, norm_momentum=norm_momentum
            )
        case _:
            return build_vgg(
                recipe.image_size, classes, recipe.width, recipe.depth, recipe.dropout, recipe.batch_norm,
                seed=settings.seed, norm_momentum=norm_momentum,
            )  # fmt: skip


def new_network(settings: Settings) -> Network:
    """A network with random weights, the same for the same settings. ValueError where one of them is out of range."""
    recipe = settings.recipe
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if recipe.precision == "float32" else f"mixed_{recipe.precision}")
    try:
        model = build_model(settings)
    finally:
        keras.config.set_dtype_policy(policy)
    # The same epsilon in all, so that Adam and RAdam differ in rectification alone.
    kind = {"radam": RAdam, "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[recipe.optimizer]
    optimizer = kind(epsilon=1e-8, weight_decay=recipe.weight_decay or None)
    optimizer.build(model.trainable_variables)
    if recipe.weight_decay:
        # Shifts and scales are no weights of connections: decay would only work against the normalisation.
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    average = WeightAverage(recipe.ema, model.trainable_variables) if recipe.ema else None
    return Network(model, optimizer, settings, average)


def begin_network(settings: Settings) -> Network:
    """A network with the first weights that its recipe names: random ones, or those that ImageNet taught."""
    network = new_network(settings)
    if settings.recipe.weights == "imagenet":
        load_lite0(network.model)
        if network.average:
            network.average.restart()
    return network

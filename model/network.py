"""A network in training: the recipe's model, its optimiser and the record of its training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dataprep.photograph import Preparation

from .efficientnet_lite import build_efficientnet_lite0
from .keras_networks import IMAGENET, RANDOM, build_keras_network, load_file
from .predict.folding import all_layers
from .predict.predictor import Predict, Predictor
from .pretrained_weights import load_drawn, load_lite0
from .radam import RAdam
from .recipes import DRAWN
from .records import Baseline, Epoch, Predictions
from .settings import Settings
from .vgg import build_vgg
from .weight_average import WeightAverage


@dataclass
class Network:
    """A network and its training, as stored in a checkpoint.

    Attributes:
        model: from float32 (n, size, size, 3), BGR in 0..255, to float32 probabilities (n, classes).
        optimizer: built for the model's trainable variables.
        settings: recipe, classes, split and progress of the training.
        average: averaged weights; None if the recipe does not average.
        validation: predictions for the validation photographs after the last epoch; None before the first.
        history: a record for each epoch.
        baselines: baselines on the same validation photographs; empty if none were computed.
        earlier: networks of the finished folds of the same training; stored in its checkpoints.
        predict: function from prepared images, uint8 (n, size, size, 3), to probabilities, float32 (n, classes).
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
        self.predict = Predictor(self.model, precision=self.settings.recipe.predict_precision, read=self.value)

    def value(self, variable: Any) -> np.ndarray:
        """The averaged value of a variable if there is one, else the current one."""
        return self.average.value(variable) if self.average else np.asarray(variable.numpy())

    def averaged(self) -> AbstractContextManager[None]:
        """A context in which the model has the weights for prediction: the averaged ones, if there are any."""
        return self.average.in_place() if self.average else nullcontext()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.settings.classes

    @property
    def numbers(self) -> tuple[int, ...]:
        """Label number of each class."""
        return self.settings.label_numbers

    @property
    def preparations(self) -> tuple[Preparation, ...]:
        """The preparation of the images for `predict`, as a tuple, as in `Ensemble`."""
        return (self.settings.preparation,)

    @property
    def views(self) -> int:
        """Number of flips and turns over which predictions are averaged: 1 or 8."""
        return self.settings.recipe.views


def build_model(settings: Settings) -> keras.Model:
    """The model of `recipe.network`. To train your own network, add a `case` with its name here, or replace this function.

    Any Keras model works, from float32 (n, image_size, image_size, 3), BGR in 0..255, to float32 probabilities (n, classes). It includes
    scaling of the pixels and softmax.

    Args:
        settings: uses `classes` and the recipe's `network`, `image_size` (in pixels) and `weights` ("imagenet" or "random").

    Raises:
        ValueError: an unknown name, or an argument out of range. The message is one line with the valid values.
    """
    recipe, classes = settings.recipe, len(settings.classes)
    size, dropout, seed = recipe.image_size, recipe.dropout, settings.seed
    match recipe.network:
        case "vgg":
            return build_vgg(size, classes, recipe.width, recipe.depth, dropout, recipe.batch_norm, seed)
        case "efficientnet_lite0":
            model = build_efficientnet_lite0(size, classes, dropout, seed)
            if recipe.weights == IMAGENET:
                load_lite0(model)
            return model
        case name:
            return build_keras_network(name, size, classes, dropout, seed, recipe.weights)


def new_network(settings: Settings, weights: str = RANDOM) -> Network:
    """A new network with random weights, which depend on the settings only, or with those of a word of `weights`.

    ValueError if a setting is out of range, or the model is not as described in `build_model`.
    """
    recipe = settings.recipe
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if recipe.precision == "float32" else f"mixed_{recipe.precision}")
    keras.utils.set_random_seed(settings.seed)
    try:
        # The drawn weights are of one network only. Any other, as one of one's own, begins with ImageNet's.
        model = build_model(
            replace(settings, recipe=replace(recipe, weights=IMAGENET if weights == DRAWN else weights))
        )
        if weights == DRAWN and model.name == "efficientnet_lite0":
            load_drawn(model)
    finally:
        keras.config.set_dtype_policy(policy)
    begins_with = getattr(model, "begins_with", RANDOM)
    model = _functional(model, settings)
    model.begins_with = begins_with
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    for layer in all_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            # Otherwise each device normalises by its own part of the batch, and the network differs from one trained on one device.
            layer.synchronized = several
    # The same epsilon for all, so that Adam and RAdam differ only in rectification.
    kind = {"radam": RAdam, "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[recipe.optimizer]
    # AdamW takes no None, the others decay nothing with it.
    optimizer = kind(epsilon=1e-8, weight_decay=recipe.weight_decay or (0.0 if recipe.optimizer == "adamw" else None))
    optimizer.build(model.trainable_variables)
    if recipe.weight_decay:
        # Shifts and scales do not connect units: their decay would only counteract the normalisation.
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    average = WeightAverage(recipe.ema, model.trainable_variables) if recipe.ema else None
    return Network(model, optimizer, settings, average)


def begin_network(settings: Settings) -> Network:
    """A new network with the recipe's initial weights: random, ImageNet's, those of drawn photographs, or from a file.

    ValueError as from `new_network`, or if weights are missing or of another network.
    """
    weights = settings.recipe.weights
    if weights in (RANDOM, IMAGENET, DRAWN):
        return new_network(settings, weights)
    network = new_network(settings)
    load_file(network.model, Path(weights))
    if network.average:
        network.average.restart()
    return network


def check_network(settings: Settings) -> str:
    """Raise ValueError if `begin_network` would, or the outputs are no probabilities: before photographs are prepared for minutes.

    Returns the weights that it begins with, "drawn", "imagenet" or "random" (or from a file), as a network of one's own may not heed
    `recipe.weights`.
    """
    recipe = settings.recipe
    model = begin_network(settings).model
    outputs = np.asarray(model(np.full((1, recipe.image_size, recipe.image_size, 3), 128, np.float32), training=False))
    if not np.allclose(outputs.astype(np.float64).sum(axis=1), 1, atol=0.01):
        raise ValueError(
            f"network {recipe.network} returns {outputs[0].tolist()}, which are not probabilities; end it with a softmax"
        )
    return str(model.begins_with)


def _functional(model: keras.Model, settings: Settings) -> keras.Model:
    """The model as a functional model with one input and one output tensor. ValueError if it does not fit the settings."""
    name, size = settings.recipe.network, settings.recipe.image_size
    if not getattr(model, "inputs", None):  # a subclass of keras.Model
        inputs = keras.Input((size, size, 3))
        try:
            model = keras.Model(inputs, model(inputs), name=model.name)
        except Exception as error:  # of the subclass's code
            why = " ".join(str(error).split())[:200]
            raise ValueError(
                f"network {name} cannot be called with images of {size} pixels ({why}); correct its `call`, "
                "or build it with keras.Model(inputs, outputs)"
            ) from error
    wanted = (None, size, size, 3), (None, len(settings.classes))
    shapes = model.input_shape, model.output_shape
    if not all(
        len(a) == len(b) and all(x in (None, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(shapes, wanted, strict=True)
    ):
        raise ValueError(f"network {name} is from {shapes[0]} to {shapes[1]}; give one from {wanted[0]} to {wanted[1]}")
    if isinstance(model, keras.Sequential) or isinstance(model.input, list):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model

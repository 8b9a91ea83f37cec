"""The rival of `transfer`: the two steps of Keras' guide on transfer learning (https://keras.io/guides/transfer_learning).

First the last layer alone with Adam at 1e-3, then all layers at 1e-5. BatchNormalization stays as it begins. Network, initial
weights, photographs and batches are those of the recipe, which sets the time too: as many epochs for the last layer, and three quarters
as many for all layers, take about as long as the recipe.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import keras

from dataprep.batches import training_batches
from model.data import Data
from model.network import Network, begin_network
from model.settings import Settings

# Learning rate, epochs as a share of the recipe's, whether all layers are trained.
_STEPS = ((1e-3, 1.0, False), (1e-5, 0.75, True))
# Flips, and a third of our turns and shifts; the guide has flips and turns of up to 36 degrees.
_AUGMENTATION = 0.3


def train_keras_way(data: Data, settings: Settings, ended: Callable[[Network], None] = lambda network: None) -> Network:
    """A network trained in the guide's two steps. `ended` is called after each epoch."""
    recipe = replace(settings.recipe.planned(len(data.train_labels)), ema=0.0)
    network = begin_network(replace(settings, recipe=recipe))
    after_epoch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended(network))
    last = [layer for layer in network.model.layers if layer.weights][-1]
    start, steps = 0, math.ceil(len(data.train_labels) / recipe.batch_size)
    for rate, share, whole in _STEPS:
        stop = start + max(1, round(share * recipe.epochs))
        for layer in network.model.layers:
            layer.trainable = layer is last or (whole and not isinstance(layer, keras.layers.BatchNormalization))
        network.model.compile(keras.optimizers.Adam(rate), keras.losses.CategoricalCrossentropy())
        batches = training_batches(
            data.train_images, data.train_labels, len(settings.classes), batch_size=recipe.batch_size,
            batches=range(start * steps, stop * steps), strength=_AUGMENTATION, seed=settings.seed,
        )  # fmt: skip
        network.model.fit(
            batches, initial_epoch=start, epochs=stop, shuffle=False, verbose=0, callbacks=[after_epoch],
            steps_per_epoch=steps,
        )  # fmt: skip
        start = stop
    return network

"""EfficientNet-Lite0: the network of the recipe `transfer`, small and fast on a CPU."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

# Each stage: expansion, channels, blocks, stride of the first block, side of the depthwise kernel.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM, _HEAD = 32, 1280  # channels
_EPSILON = 1e-3
FEATURES = "average"  # name of the layer with the pooled features, float32 (n, 1280)


def build_efficientnet_lite0(
    image_size: int = 160,
    classes: int = 4,
    dropout: float = 0.2,
    seed: int = 0,
) -> keras.Model:
    """Build EfficientNet-Lite0 (Liu, 2020; Tan and Le, ICML 2019, without squeeze-and-excitation and with ReLU6) with random weights.

    Args:
        image_size: height and width of the input in pixels, at least 32. The published weights were trained at 224.
        classes: number of classes, at least 2.
        dropout: share of the pooled features dropped in training, in 0 <= dropout < 1.
        seed: seed of the initial weights and the dropout.

    Returns:
        A model from float32 (n, image_size, image_size, 3), BGR in 0..255 (scaled inside), to float32 probabilities (n, classes), which
        stay float32 under mixed precision. 3.4 million weights, and 1,281 more for each class.

    Raises:
        ValueError: the images are too small.
    """
    if image_size < 32:
        raise ValueError(f"image_size is {image_size}; the network halves it 5 times, so give at least 32")
    seeds = iter(np.random.SeedSequence(seed).generate_state(64) >> 1)  # Keras' seeds have 31 bits

    def normalised(x: keras.KerasTensor, name: str, active: bool = True) -> keras.KerasTensor:
        x = layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)
        return layers.ReLU(6, name=f"{name}_relu")(x) if active else x

    def convolved(
        x: keras.KerasTensor, channels: int, side: int, stride: int, name: str, active: bool = True
    ) -> keras.KerasTensor:
        x = layers.Conv2D(
            channels, side, stride, padding="same", use_bias=False, kernel_initializer=_initializer(next(seeds)), name=f"{name}_conv"
        )(x)  # fmt: skip
        return normalised(x, name, active)

    inputs = keras.Input((image_size, image_size, 3), name="photograph")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(inputs)
    x = convolved(x, _STEM, 3, 2, "stem")
    number = 0
    for expansion, channels, blocks, first_stride, side in _STAGES:
        for block in range(blocks):
            name, shortcut, stride = f"block{number}", x, first_stride if block == 0 else 1
            if expansion > 1:
                x = convolved(x, x.shape[-1] * expansion, 1, 1, f"{name}_expand")
            x = layers.DepthwiseConv2D(
                side, stride, padding="same", use_bias=False, depthwise_initializer=_initializer(next(seeds)), name=f"{name}_depthwise_conv"
            )(x)  # fmt: skip
            x = normalised(x, f"{name}_depthwise")
            x = convolved(x, channels, 1, 1, f"{name}_project", active=False)
            if block > 0:
                x = layers.Add(name=f"{name}_add")([x, shortcut])
            number += 1
    x = convolved(x, _HEAD, 1, 1, "head")
    x = layers.GlobalAveragePooling2D(dtype="float32", name=FEATURES)(x)
    x = layers.Dropout(dropout, seed=int(next(seeds)), dtype="float32", name="dropout")(x)
    scores = layers.Dense(
        classes, kernel_initializer=keras.initializers.GlorotUniform(int(next(seeds))), dtype="float32", name="scores"
    )
    outputs = layers.Softmax(dtype="float32", name="probabilities")(scores(x))
    return keras.Model(inputs, outputs, name="efficientnet_lite0")


def _initializer(seed: np.integer) -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", int(seed))

"""The network: a narrow VGG with batch normalisation and global average pooling."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

_WIDEST = 8  # VGG stops doubling its channels after three doublings (64, 128, 256, 512, 512)


def build_vgg(
    image_size: int = 96,
    classes: int = 4,
    width: int = 16,
    depth: int = 5,
    dropout: float = 0.3,
    batch_norm: bool = True,
    seed: int = 0,
) -> keras.Model:
    """Build a variant of VGG's configuration A (Simonyan and Zisserman, ICLR 2015, table 1).

    Blocks of 3x3 convolutions, each with 2x2 max pooling at its end. The first two blocks have one convolution, the others two, so that
    the costly full resolution is used once. Global average pooling and dropout replace the paper's three dense layers, as a few hundred
    photographs are too few for 100 million weights. Weights before a ReLU are initialised as in He et al. (ICCV 2015).

    Args:
        image_size: height and width of the input in pixels, at least 2**depth.
        classes: number of classes, at least 2.
        width: channels of the first block; doubled from block to block, up to 8 times `width`. The paper's is 64.
        depth: number of blocks, 1 to 6.
        dropout: share of the pooled features dropped in training, in 0 <= dropout < 1.
        batch_norm: batch normalisation before each ReLU (Ioffe and Szegedy, ICML 2015).
        seed: seed of the initial weights and the dropout.

    Returns:
        A model from float32 (n, image_size, image_size, 3), BGR in 0..255 (scaled inside), to float32 probabilities (n, classes), which
        stay float32 under mixed precision.

    Raises:
        ValueError: the images are too small for so many blocks.
    """
    if image_size < 2**depth:
        raise ValueError(
            f"image_size is {image_size}; {depth} blocks halve it {depth} times, so give at least {2**depth}"
        )
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * depth + 2) >> 1)  # Keras' seeds have 31 bits
    inputs = keras.Input((image_size, image_size, 3), name="photograph")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    for block in range(1, depth + 1):
        channels = width * min(2 ** (block - 1), _WIDEST)
        for number in range(1, 2 if block <= 2 else 3):
            x = layers.Conv2D(
                channels,
                3,
                padding="same",
                use_bias=not batch_norm,
                kernel_initializer=keras.initializers.HeNormal(int(next(seeds))),
                name=f"block{block}_conv{number}",
            )(x)
            if batch_norm:
                x = layers.BatchNormalization(name=f"block{block}_norm{number}")(x)
            x = layers.ReLU(name=f"block{block}_relu{number}")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, seed=int(next(seeds)), name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(int(next(seeds))), name="scores")(x)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="vgg")

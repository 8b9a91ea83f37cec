"""Training on several GPUs at once."""

from __future__ import annotations

import tensorflow as tf


def strategy_for(gpus: int) -> tf.distribute.Strategy:
    """How to train on `gpus` of them: each takes a part of each batch where there is more than one, see `tf.distribute`.

    Models, optimisers and checkpoints are made or read within its `scope()`. ValueError where TensorFlow sees fewer.
    """
    if gpus < 2:
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < gpus:
        seen = len(tf.config.list_logical_devices("GPU"))
        raise ValueError(
            f"the session has {gpus} GPUs and TensorFlow sees {seen}; install tensorflow[and-cuda], or take fewer"
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices[:gpus]])

"""TensorFlow, started so that runs repeat and logs can be read, and the devices that it computes on."""

from __future__ import annotations

import os
import tempfile
from typing import Any


def start_tensorflow(seed: int, deterministic: bool = True) -> None:
    """Import TensorFlow without its start-up messages, and seed NumPy, Python and Keras.

    deterministic: the same operation gives the same result for the same input, on a GPU too. Keras does not use XLA then.
    """
    import_tensorflow()
    import keras
    import tensorflow as tf

    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def import_tensorflow() -> None:
    """Import TensorFlow and Keras without their start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Else the first program on a GPU takes all of its memory, and the next one gets none.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    # Its first lines come from C++ before any level counts, so the descriptor itself has to point elsewhere.
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        except BaseException:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def is_given_gpus() -> bool:
    """Whether somebody said which GPUs to use: `nsml run -g`, or CUDA_VISIBLE_DEVICES by hand."""
    return "CUDA_VISIBLE_DEVICES" in os.environ


def strategy_for(gpus: int, *, may_take_all: bool) -> Any:
    """How to compute where the session has `gpus` GPUs: on one, or, where it `may_take_all` of several, a part of each batch on each, see
    `tf.distribute`.

    Models, optimisers and checkpoints are made or read within its `scope()`. A line on stdout says what computes. ValueError where
    TensorFlow sees fewer than two of several GPUs that the session has.
    """
    import tensorflow as tf

    others = 0 if may_take_all else max(gpus - 1, 0)
    gpus -= others
    seen = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU"))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    missing = f"the session has {gpus} GPU{'s' * (gpus > 1)} and TensorFlow sees {len(seen)}; install tensorflow[and-cuda], or take fewer"
    if gpus == 1 and not seen:
        print(f"warning: {missing}", flush=True)
    more = f", and leaves {others} more to others; nsml run -g {gpus + others} uses all" if others and seen else ""
    print(f"computes on {', '.join(seen[: max(gpus, 1)]) or f'{os.cpu_count()} processors'}{more}", flush=True)
    if gpus < 2:
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < gpus:
        raise ValueError(missing)
    return tf.distribute.MirroredStrategy([device.name for device in devices[:gpus]])

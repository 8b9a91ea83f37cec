"""Starting TensorFlow reproducibly and quietly, and choosing devices."""

from __future__ import annotations

import os
import tempfile
from typing import Any


class DevicesError(ValueError):
    """A session without the GPUs that it was given. The message is one line and says what to change."""

    exit_status = 2


def start_tensorflow(seed: int, deterministic: bool = True) -> None:
    """Import TensorFlow without its start-up messages, and seed NumPy, Python and Keras.

    deterministic: operations give the same results for the same inputs, on a GPU too; Keras then does not use XLA.
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
    # By default, the first program on a GPU reserves all of its memory.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    # C++ code writes the first lines before it reads any log level, so the descriptor itself is redirected.
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow
        except BaseException:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    # It warns of each program that predicts with several networks, as folds and ablations do, that tracing each takes time.
    tensorflow.get_logger().setLevel("ERROR")


def is_given_gpus() -> bool:
    """Whether the user chose GPUs, by `nsml run -g` or CUDA_VISIBLE_DEVICES."""
    return "CUDA_VISIBLE_DEVICES" in os.environ


def strategy_for(gpus: int, *, may_take_all: bool) -> Any:
    """The strategy of `tf.distribute` for a session with `gpus` GPUs: one device, or all GPUs with a part of each batch on each.

    Models, optimisers and checkpoints must be created or read within its `scope()`. Prints the devices.

    Args:
        gpus: number of GPUs of the session.
        may_take_all: use all of several GPUs, else only the first.

    Raises:
        DevicesError: TensorFlow does not see all GPUs that are to be used.
    """
    import tensorflow as tf

    others = 0 if may_take_all else max(gpus - 1, 0)
    gpus -= others
    seen = [
        str(tf.config.experimental.get_device_details(gpu).get("device_name", "a GPU"))
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    missing = f"the session has {gpus} GPU{'s' * (gpus > 1)}, but TensorFlow sees {len(seen)}; install tensorflow[and-cuda], or use fewer"
    if gpus == 1 and not seen:
        print(f"warning: {missing}", flush=True)
    more = f", and leaves {others} more to others; nsml run -g {gpus + others} uses all" if others and seen else ""
    print(f"computes on {', '.join(seen[: max(gpus, 1)]) or f'{os.cpu_count()} processors'}{more}", flush=True)
    if gpus < 2:
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < gpus:
        raise DevicesError(missing)
    return tf.distribute.MirroredStrategy([device.name for device in devices[:gpus]])

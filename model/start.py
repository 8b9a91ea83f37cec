"""TensorFlow, started so that runs repeat and logs can be read."""

from __future__ import annotations

import os
import sys
import tempfile


def start_tensorflow(seed: int, jit: str = "off") -> None:
    """Import TensorFlow without its start-up messages, make its operations deterministic, and seed NumPy, Python and Keras.

    jit: "on", "off" or "auto", see `model.trial`. Where XLA may come into question, operations are left as they are, since Keras does
    not use it while they are deterministic.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    _import_quietly()
    import keras
    import tensorflow as tf

    if jit == "off" or (jit == "auto" and not tf.config.list_physical_devices("GPU")):
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def _import_quietly() -> None:
    # The first lines come from C++ before any level is heeded, so the descriptor itself has to point elsewhere.
    kept = os.dup(2)
    with tempfile.TemporaryFile() as elsewhere:
        sys.stderr.flush()
        os.dup2(elsewhere.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            elsewhere.seek(0)
            os.write(kept, elsewhere.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)

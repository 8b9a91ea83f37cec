"""TensorFlow, started so that runs repeat and logs can be read."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# What Keras imports where it is installed, for wrappers, galleries and tables, none of which is of use here: a third of a start.
_SPARED = ("matplotlib", "pandas", "sklearn")


def start_tensorflow(seed: int, jit: str = "off") -> None:
    """Import TensorFlow, make its operations deterministic, and seed NumPy, Python and Keras.

    jit: "on", "off" or "auto", see `model.trial`. Where XLA may come into question, operations are left as they are, until it is
    settled, see `repeat_exactly`.
    """
    import_tensorflow()
    import keras
    import tensorflow as tf

    if jit == "off" or (jit == "auto" and not tf.config.list_physical_devices("GPU")):
        repeat_exactly()
    keras.utils.set_random_seed(seed)


def repeat_exactly() -> None:
    """From here on an operation gives the same for the same, on a GPU too; Keras does not use XLA then."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def import_tensorflow() -> None:
    """Import TensorFlow and Keras without their start-up messages, and without what Keras would import besides.

    It is left to believe that there are no Matplotlib, pandas and scikit-learn, unless they were imported before. They can be imported
    after, but `keras.wrappers` and data frames as training data need them before.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # Else the first program on a GPU has all of its memory, and the next one none.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with _absent(_SPARED), _without_collection():
        _import_quietly()


@contextmanager
def _absent(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these fail as though they were not installed."""
    held = [name for name in names if name not in sys.modules]
    for name in held:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in held:
            del sys.modules[name]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage while modules are imported, nor ever among what they are made of, which is there to the end.

    There are a million such objects. Looking through them time and again takes a third of the start, and the end a second.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
    gc.freeze()


def _import_quietly() -> None:
    # The first lines come from C++ before any level is heeded, so the descriptor itself has to point elsewhere.
    kept = os.dup(2)
    with tempfile.TemporaryFile() as elsewhere:
        sys.stderr.flush()
        os.dup2(elsewhere.fileno(), 2)
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401
        except BaseException:
            elsewhere.seek(0)
            os.write(kept, elsewhere.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)

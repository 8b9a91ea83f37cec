"""Save and load without hooks: the objects of `nsml.bind(model=..., optimizer=...)`, each in its library's format.

An object bound as NAME becomes one of these files of a checkpoint:

    NAME.weights.h5    weights of a Keras model
    NAME.npz           variables of a Keras optimizer
    NAME.pt            `state_dict()` of a PyTorch module, optimizer or scheduler
    NAME.ckpt.*        variables of a TensorFlow 1 session, or of a TensorFlow 2 module or checkpoint
    NAME.pickle        anything else, by its `state_dict()` if it has one

Loading restores the objects bound under the same names. No library is imported for it, as the program has imported the library of
a bound object.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path
from typing import Any

from ..errors import RunFailed
from .copying import copy

_KERAS, _KERAS_OPTIMIZER, _TORCH, _TENSORFLOW, _PICKLE = ".weights.h5", ".npz", ".pt", ".ckpt", ".pickle"
_ENDINGS = (_KERAS, _KERAS_OPTIMIZER, _TORCH, _PICKLE, f"{_TENSORFLOW}.index")


def save_objects(folder: Path, objects: dict[str, Any]) -> None:
    """Write each object to `folder`. Objects that cannot be pickled are skipped and listed on stderr."""
    refused = []
    for name, value in objects.items():
        ending = _ending(value)
        path = folder / f"{name}{ending}"
        if ending == _KERAS:
            value.save_weights(str(path))
        elif ending == _KERAS_OPTIMIZER:
            sys.modules["numpy"].savez(path, *[variable.numpy() for variable in value.variables])
        elif ending == _TORCH:
            sys.modules["torch"].save(value.state_dict(), path)
        elif ending == _TENSORFLOW:
            _save_tensorflow(value, str(path))
        else:
            try:
                content = pickle.dumps(value.state_dict() if _has_state(value) else value)
            except Exception as error:
                refused.append(f"{name} ({type(value).__name__}: {error})")
                continue
            path.write_bytes(content)
    if refused:
        print(f"nsml.save: {len(refused)} of {len(objects)} objects cannot be pickled and are not saved: "
              f"{'; '.join(refused)}; bind a save function for them", file=sys.stderr)  # fmt: skip


def holds_objects(folder: Path) -> bool:
    """Whether a checkpoint's folder was written by `save_objects`."""
    return folder.is_dir() and any(path.name.endswith(_ENDINGS) for path in folder.iterdir())


def load_objects(folder: Path, objects: dict[str, Any], own: bool) -> None:
    """Restore `objects` from the files of `save_objects` in `folder`. Objects that cannot be restored are listed on stderr.

    Args:
        own: whether the checkpoint is this user's. Loading a pickle runs code in it, so pickles of other users are refused.
    """
    files = {path.name.removesuffix(ending): path for path in folder.iterdir() for ending in _ENDINGS
             if path.name.endswith(ending)}  # fmt: skip
    pickles = sorted(path.name for path in files.values() if path.suffix == _PICKLE)
    if pickles and not own:
        raise RunFailed(
            f"the checkpoint is another user's and contains {', '.join(pickles)}, and a pickle can run any code; "
            "bind save and load functions without pickle"
        )
    left = [f"{name} is not in the checkpoint" for name in objects.keys() - files.keys()]
    for name, path in sorted(files.items()):
        if name not in objects:
            left.append(f"{path.name} is in the checkpoint, but no {name} is bound")
        elif problem := _load(path, objects[name], objects, own):
            left.append(f"{name} {problem}")
    if left:
        print(f"nsml.load: not everything is restored: {'; '.join(sorted(left))}", file=sys.stderr)


def _load(path: Path, value: Any, objects: dict[str, Any], own: bool) -> str:
    """Restore `value` from a file; return the problem, or ""."""
    if path.name.endswith(_KERAS):
        value.load_weights(str(path))
    elif path.suffix == _KERAS_OPTIMIZER:
        return _load_keras_optimizer(path, value, objects)
    elif path.suffix == _TORCH:
        # To the processor first, so that a checkpoint from a GPU also loads without one.
        value.load_state_dict(sys.modules["torch"].load(path, map_location="cpu", weights_only=not own))
    elif path.suffix == ".index":
        _load_tensorflow(value, str(path.with_suffix("")))
    else:
        return _put_back(value, pickle.loads(path.read_bytes()))
    return ""


def _ending(value: Any) -> str:
    modules = {cls.__module__.partition(".")[0] for cls in type(value).__mro__}
    if modules & {"keras", "tf_keras"} and hasattr(value, "save_weights"):
        return _KERAS
    if modules & {"keras", "tf_keras"} and hasattr(value, "apply_gradients"):
        return _KERAS_OPTIMIZER
    if "torch" in sys.modules and _has_state(value):
        return _TORCH
    if "tensorflow" in modules and not isinstance(value, type) and (_is_session(value) or _is_trackable(value)):
        return _TENSORFLOW
    return _PICKLE


def _has_state(value: Any) -> bool:
    return not isinstance(value, type) and all(
        callable(getattr(value, name, None)) for name in ("state_dict", "load_state_dict")
    )


def _is_session(value: Any) -> bool:
    return hasattr(value, "graph") and hasattr(value, "run")


def _is_trackable(value: Any) -> bool:
    tensorflow = sys.modules["tensorflow"]
    return isinstance(value, tensorflow.Module | tensorflow.train.Checkpoint | tensorflow.Variable)


def _save_tensorflow(value: Any, path: str) -> None:
    tensorflow = sys.modules["tensorflow"]
    if _is_session(value):
        with value.graph.as_default():
            tensorflow.compat.v1.train.Saver().save(value, path, write_meta_graph=False, write_state=False)
    else:
        tensorflow.train.Checkpoint(value=value).write(path)


def _load_tensorflow(value: Any, path: str) -> None:
    tensorflow = sys.modules["tensorflow"]
    if _is_session(value):
        with value.graph.as_default():
            tensorflow.compat.v1.train.Saver().restore(value, path)
    else:
        tensorflow.train.Checkpoint(value=value).read(path).assert_existing_objects_matched()


def _load_keras_optimizer(path: Path, value: Any, objects: dict[str, Any]) -> str:
    with sys.modules["numpy"].load(path) as saved:
        arrays = [saved[name] for name in saved.files]
    if not value.built:
        # The variables are created in the first step, one or two per variable of the model.
        models = [other for other in objects.values() if _ending(other) == _KERAS]
        value.build([variable for model in models for variable in model.trainable_variables])
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in value.variables]:
        return "has other variables than the saved optimizer"
    for variable, array in zip(value.variables, arrays, strict=True):
        variable.assign(array)
    return ""


def _put_back(value: Any, saved: Any) -> str:
    """Change `value` in place to the saved value; return the problem, or ""."""
    if saved is value or isinstance(value, argparse.Namespace):
        return ""  # a function, or the options of this process, which are not replaced by saved ones
    if _has_state(value):
        value.load_state_dict(saved)
    elif type(value) is not type(saved):
        return f"is a {type(value).__name__}, the saved value a {type(saved).__name__}"
    elif isinstance(value, dict | set):
        value.clear()
        value.update(saved)
    elif isinstance(value, list | bytearray):
        value[:] = saved
    elif hasattr(value, "__array__") and hasattr(value, "__setitem__") and hasattr(value, "shape"):
        if value.shape != saved.shape:
            return f"has the shape {value.shape}, the saved value {saved.shape}"
        value[...] = saved
    elif hasattr(value, "__dict__"):
        copy(saved, value)
    elif value != saved:
        return f"({value!r}) cannot be changed in place to {saved!r}"
    return ""

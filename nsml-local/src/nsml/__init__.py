"""NSML on your own machine: the library that a competitor's program imports.

`bind`, `save`, `load`, `infer`, `paused`, `report`, `copy` and the constants `DATASET_PATH`, `DATASET_NAME`, `HAS_DATASET`
(older name `IS_DATASET`), `IS_ON_NSML`, `GPU_NUM`, `SESSION_NAME` and `NSML_NFS_OUTPUT` follow the platform's public contract.

Everything is imported on first use: `import nsml` is fast and needs only the standard library.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .constants import (
        DATASET_NAME,
        DATASET_PATH,
        GPU_NUM,
        HAS_DATASET,
        IS_DATASET,
        IS_ON_NSML,
        MY_RANK,
        NSML_NFS_OUTPUT,
        PARALLEL_PORTS,
        PARALLEL_WORLD,
        SESSION_NAME,
    )
    from .errors import NsmlError
    from .session.caching import cache
    from .session.copying import copy
    from .session.describing import describe
    from .session.hooks import bind, infer, load, save, save_folder
    from .session.pausing import paused
    from .session.reporting import report
    from .session.training import training_photographs
    from .session.visdom import Visdom

__version__ = "0.1.0"

__all__ = [
    "DATASET_NAME",
    "DATASET_PATH",
    "GPU_NUM",
    "HAS_DATASET",
    "IS_DATASET",
    "IS_ON_NSML",
    "MY_RANK",
    "NSML_NFS_OUTPUT",
    "PARALLEL_PORTS",
    "PARALLEL_WORLD",
    "SESSION_NAME",
    "NsmlError",
    "Visdom",
    "bind",
    "cache",
    "copy",
    "describe",
    "infer",
    "load",
    "paused",
    "report",
    "save",
    "save_folder",
    "training_photographs",
]

_MODULES = {
    "NsmlError": "nsml.errors",
    "bind": "nsml.session.hooks",
    "infer": "nsml.session.hooks",
    "load": "nsml.session.hooks",
    "save": "nsml.session.hooks",
    "save_folder": "nsml.session.hooks",
    "Visdom": "nsml.session.visdom",
    "cache": "nsml.session.caching",
    "copy": "nsml.session.copying",
    "paused": "nsml.session.pausing",
    "describe": "nsml.session.describing",
    "report": "nsml.session.reporting",
    "training_photographs": "nsml.session.training",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "constants":  # nsml.constants.DATASET_PATH after `import nsml` alone
        return import_module("nsml.constants")
    if name not in __all__:
        raise AttributeError(f"module 'nsml' has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES.get(name, "nsml.constants")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

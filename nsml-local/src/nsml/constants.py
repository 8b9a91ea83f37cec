"""The constants of the platform, computed when first read.

DATASET_PATH      folder of the dataset that this process may read: `train/` while training, `test/` (without labels) at submit.
                  Outside a session: the dataset named by the environment variable NSML_DATASET, else the synthetic FUNDUS_DEMO
                  if registered, else the empty string. After `nsml run -d A,B`: a list with one folder per dataset.
DATASET_NAME      its name (of several, the first), else the empty string
HAS_DATASET       whether the platform, or NSML_DATASET, named a dataset (IS_DATASET is the older name). The fallback to
                  FUNDUS_DEMO does not count: a program with data of its own uses those.
IS_ON_NSML        True in a process that `nsml run` or `nsml submit` started
GPU_NUM           number of GPUs available to this process
SESSION_NAME      USER/DATASET/NUMBER of this session; outside a session, reading it opens a foreground session
NSML_NFS_OUTPUT   a folder of this user that outlives the session
PARALLEL_WORLD, PARALLEL_PORTS, MY_RANK   for programs of parallel sessions: always [""], [0] and 0, one machine
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    DATASET_PATH: str  # a list only with several datasets
    DATASET_NAME: str
    HAS_DATASET: bool
    IS_DATASET: bool
    IS_ON_NSML: bool
    GPU_NUM: int
    SESSION_NAME: str
    NSML_NFS_OUTPUT: str
    PARALLEL_WORLD: list[str]
    PARALLEL_PORTS: list[int]
    MY_RANK: int

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
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'nsml.constants' has no attribute {name!r}")
    from .session.context import current

    context = current()
    value: object
    match name:
        case "DATASET_PATH":
            value = context.dataset_path
        case "DATASET_NAME":
            value = context.dataset
        case "HAS_DATASET" | "IS_DATASET":
            value = context.has_dataset
        case "IS_ON_NSML":
            value = context.on_nsml
        case "GPU_NUM":
            value = context.gpu_count()
        case "SESSION_NAME":
            value = str(context.open_session().name)
        case "PARALLEL_WORLD":
            value = [""]
        case "PARALLEL_PORTS":
            value = [0]
        case "MY_RANK":
            value = 0
        case _:
            value = str(context.output_folder())
    globals()[name] = value
    return value

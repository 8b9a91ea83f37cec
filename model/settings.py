"""What a checkpoint says about itself, besides numbers: how to prepare photographs, which network, how far it was trained."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from typing import Any

from dataprep.photograph import Preparation

FORMAT = 1
# The file of a checkpoint that holds them, with the size and SHA-256 of the others.
FILE = "settings.json"


@dataclass
class Settings:
    """Settings of a network in training.

    Attributes:
        preparation: how photographs are prepared; its `size` is the network's image size.
        classes: the classes' names, in the order of the network's outputs.
        width, depth, dropout: of the network, see `model.vgg`.
        l2: of the optimiser, see `model.radam`.
        precision: in which the network is trained, see `model.network.PRECISIONS`.
        ema: momentum of the average of the weights, see `model.averaging`; 0 is without one.
        seed, fold, folds: of the split, the augmentation and the initial weights; `folds` 0 is a single split.
        split: who stays together in it, "patient" or "file", see `model.data.SPLITS`.
        share: of the training photographs, those that are trained on, whole patients, in 0 < share <= 1; less than 1 for a learning curve.
        optimizer: one of `model.network.OPTIMIZERS`.
        batch_norm: of the network, see `model.vgg`.
        epoch: epochs trained so far.
        phase: the phase of the last of them, "" before the first.
        best_score: the highest validation score so far, None before the first.
        best_epoch: its epoch, counted from 1; 0 before the first.
        temperature: by which the probabilities are calibrated, above 0, see `evidence.calibration`; 1 before the first epoch.
    """

    preparation: Preparation
    classes: tuple[str, ...]
    width: int
    depth: int
    dropout: float
    l2: float = 0.0
    precision: str = "float32"
    ema: float = 0.0
    seed: int = 0
    fold: int = 0
    folds: int = 0
    split: str = "patient"
    share: float = 1.0
    optimizer: str = "radam"
    batch_norm: bool = True
    epoch: int = 0
    phase: str = ""
    best_score: float | None = None
    best_epoch: int = 0
    temperature: float = 1.0

    def differences(self, asked: Settings) -> list[str]:
        """One line for each argument in which a training that goes on differs from what was asked for; what is trained cannot change."""
        pairs = {
            "image_size": (self.preparation.size, asked.preparation.size),
            "num_classes": (len(self.classes), len(asked.classes)),
            "local_average": (int(self.preparation.local_average), int(asked.preparation.local_average)),
            **{
                name: (getattr(self, name), getattr(asked, name))
                for name in ("width", "precision", "ema", "optimizer", "seed", "fold", "folds")
            },
        }
        return [
            f"the checkpoint was trained with --{name} {mine}, not {theirs}; {mine} it stays"
            for name, (mine, theirs) in pairs.items()
            if mine != theirs
        ]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"format": FORMAT, **found, "preparation": self.preparation.to_dict(), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, found: Any) -> Settings:
        """Read back what `to_dict` gave; a value that is missing, as in what an older program wrote, is the default where there is one.

        ValueError where a value without a default is missing, or one is unknown, of the wrong type or out of range.
        """
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        if found.get("format") != FORMAT:
            raise ValueError(f"it has format {found.get('format')!r}, this program reads {FORMAT}")
        wanted = {field.name: str(field.type) for field in fields(cls)}
        found = {field.name: field.default for field in fields(cls) if field.default is not MISSING} | found
        if differing := sorted((found.keys() - {"format"}) ^ wanted.keys()):
            raise ValueError(f"{differing[0]} is {'missing' if differing[0] in wanted else 'unknown'}")
        for name, kind in wanted.items():
            if not _fits(found[name], kind):
                raise ValueError(f"{name} is {found[name]!r}")
        if not found["temperature"] > 0:
            raise ValueError(f"temperature is {found['temperature']!r}")
        values = {name: found[name] for name in wanted}
        try:
            values["preparation"] = Preparation.from_dict(found["preparation"])
        except (TypeError, KeyError) as error:
            raise ValueError(f"preparation: {error}") from None
        values["classes"] = tuple(found["classes"])
        return cls(**values)


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return type(value) is int and value >= 0
        case "float":
            return type(value) in (int, float) and math.isfinite(value) and value >= 0
        case "float | None":
            return value is None or (type(value) in (int, float) and math.isfinite(value))
        case "str":
            return isinstance(value, str)
        case "Preparation":
            return isinstance(value, dict)
        case _:
            return isinstance(value, list) and len(value) > 1 and all(isinstance(name, str) for name in value)

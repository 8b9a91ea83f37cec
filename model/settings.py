"""What a checkpoint says of itself, besides its weights: the recipe, the classes, the split, and how far the training is."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from typing import Any

from dataprep.photograph import Preparation

from .recipes import CHANGEABLE, Recipe, changed

FORMAT = 2
# The file of a checkpoint that holds them, with the size and SHA-256 of the others.
FILE = "settings.json"


@dataclass
class Settings:
    """Settings of a network in training.

    Attributes:
        recipe: how it is trained.
        classes: the classes' names, in the order of the network's outputs.
        seed, fold, folds: of the split, the augmentation and the first weights; `folds` 0 is a single split.
        split: who stays on one side of it, "patient" or "file", see `model.data.SPLITS`.
        share: of the training photographs, those that are trained on, whole patients, in 0 < share <= 1; below 1 for a learning curve.
        epoch: epochs trained so far.
        phase: the phase of the last of them, "" before the first.
        best_loss: the lowest validation loss so far, None before the first.
        best_epoch: its epoch, counted from 1; 0 before the first.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    seed: int = 0
    fold: int = 0
    folds: int = 0
    split: str = "patient"
    share: float = 1.0
    epoch: int = 0
    phase: str = ""
    best_loss: float | None = None
    best_epoch: int = 0

    @property
    def preparation(self) -> Preparation:
        """How photographs are prepared for the network, in training and in `infer`."""
        return Preparation(self.recipe.image_size, local_average=self.recipe.local_average)

    def resume(self, recipe: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
        """Change what a resumed training may change of its recipe; a warning for each value that has to stay.

        Args:
            recipe: fields and the values that the command line gives them, see `model.recipes.changed`.
            arguments: values of other attributes, by the argument that gives them, such as {"seed": 3}.
        """
        warnings = []
        for name, value in recipe.items():
            asked = changed(self.recipe, {name: value})
            if "." in name or name in CHANGEABLE:
                self.recipe = asked
            elif asked != self.recipe:
                trained = getattr(self.recipe, name)
                warnings.append(f"ignoring {name}={value}: the checkpoint was trained with {trained}")
        for name, value in arguments.items():
            trained = {"recipe": self.recipe.name, "num_classes": len(self.classes)}.get(
                name, getattr(self, name, None)
            )
            if value not in (None, trained):
                warnings.append(f"ignoring --{name} {value}: the checkpoint was trained with {trained}")
        return warnings

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"format": FORMAT, **values, "recipe": self.recipe.to_dict(), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, values: Any) -> Settings:
        """Read back what `to_dict` gave. A field that an older program did not know gets its default.

        ValueError where a field without a default is missing, one is unknown, of the wrong type or out of range.
        """
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
        if values.get("format") != FORMAT:
            raise ValueError(
                f"it has format {values.get('format')!r}, this program reads {FORMAT}; use the code that the session was run with"
            )
        known = {field.name: field for field in fields(cls)}
        values = {name: field.default for name, field in known.items() if field.default is not MISSING} | values
        del values["format"]
        if differing := sorted(values.keys() ^ known.keys()):
            raise ValueError(f"{differing[0]} is {'missing' if differing[0] in known else 'unknown'}")
        for name, field in known.items():
            if not _fits(values[name], str(field.type)):
                raise ValueError(f"{name} is {values[name]!r}")
        return cls(**{**values, "recipe": Recipe.from_dict(values["recipe"]), "classes": tuple(values["classes"])})


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "int":
            return type(value) is int and value >= 0
        case "float":
            return type(value) in (int, float) and math.isfinite(value) and value >= 0
        case "float | None":
            return value is None or (type(value) in (int, float) and math.isfinite(value))
        case "str":
            return isinstance(value, str)
        case "Recipe":
            return isinstance(value, dict)
        case _:
            return isinstance(value, list) and len(value) > 1 and all(isinstance(name, str) for name in value)

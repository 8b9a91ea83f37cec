"""Settings stored in a checkpoint: recipe, classes, split and progress of the training."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

from dataprep.labels import class_key
from dataprep.photograph import Preparation

from .recipes import CHANGEABLE, Recipe, changed, converted

FORMAT = 2
# The checkpoint's file of settings, with the size and SHA-256 of its other files.
FILE = "settings.json"


@dataclass
class Settings:
    """Settings and progress of a training.

    Attributes:
        recipe: the recipe.
        classes: names of the classes, in the order of the network's outputs.
        numbers: label number of each class in the dataset, which `infer` returns; () if they are 0, 1, 2 and so on.
        seed: seed of the split, the augmentation and the initial weights.
        fold, folds: fold that validates, and number of folds; 0 folds: a single split.
        split: "patient" or "file", see `model.data.SPLITS`.
        patient_pattern: regular expression for the patient in a name, see `dataprep.catalog.read_catalog`; "": the usual names.
        share: share of the training photographs that is used, in 0 < share <= 1, by whole patients; below 1 for learning curves.
        epoch: number of epochs done.
        validated_views: number of views over which the validation of this epoch is averaged, see `model.validation.validate_with_views`.
        steps: number of training steps done; 0 in a checkpoint of an older version, in which each epoch was a pass over the photographs.
        phase: phase of the last epoch, "" before the first.
        best_by: metric that chooses the best epoch, see `model.metrics.METRICS`; "": the validation loss.
        best_value: its value in the best epoch, None with the loss.
        best_loss: validation loss of the best epoch, None before the first epoch.
        best_epoch: the best epoch, counted from 1; 0 before the first epoch.
        origin: commit, data and package versions of the session, see `nsml.describe`; None where the platform tells none.
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
    numbers: tuple[int, ...] = ()
    patient_pattern: str = ""
    origin: dict[str, Any] | None = None
    best_by: str = ""
    best_value: float | None = None
    steps: int = 0
    validated_views: int = 1

    @property
    def label_numbers(self) -> tuple[int, ...]:
        """The label number of each class."""
        return self.numbers or tuple(range(len(self.classes)))

    @property
    def preparation(self) -> Preparation:
        """Preparation of the photographs, in training and in `infer`."""
        return Preparation(self.recipe.image_size, local_average=self.recipe.local_average)

    def begun_anew(self, fold: int) -> Settings:
        """The settings before the first epoch of a fold."""
        anew = replace(self, fold=fold, epoch=0, steps=0, phase="", validated_views=1)
        return replace(anew, best_by="", best_value=None, best_loss=None, best_epoch=0)

    def resume(self, recipe: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
        """Apply changes to a resumed training, and return a warning for each change that is ignored.

        Args:
            recipe: new values of the recipe's fields, see `model.recipes.changed`.
            arguments: values of other arguments by name, such as {"seed": 3}.
        """
        warnings = []
        for name, value in recipe.items():
            if "." in name or name in CHANGEABLE:
                self.recipe = changed(self.recipe, {name: value})
            elif converted(Recipe, name, name, value)[name] != (trained := getattr(self.recipe, name)):
                warnings.append(f"ignoring {name}={value}: the checkpoint was trained with {trained}")
        stored: dict[str, Any] = {name: getattr(self, name) for name in ("classes", "seed", "fold", "folds")}
        stored |= {"recipe": self.recipe.name, "num_classes": len(self.classes)}
        stored["patient-pattern"] = self.patient_pattern or "none"
        for name, value in arguments.items():
            trained = stored[name]
            if value is None or value == trained:
                continue
            if name == "classes" and [class_key(each) for each in value] == [class_key(each) for each in trained]:
                continue
            if name == "num_classes" and value > trained:  # classes without photographs were left out
                continue
            given, own = (",".join(each) if isinstance(each, tuple) else each for each in (value, trained))
            warnings.append(f"ignoring --{name} {given}: the checkpoint was trained with {own}")
        return warnings

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {"classes": list(self.classes), "numbers": list(self.numbers)}
        return {"format": FORMAT, **values, "recipe": self.recipe.to_dict(), **lists}

    @classmethod
    def from_dict(cls, values: Any) -> Settings:
        """The settings of `to_dict`. Fields that are missing in a file of an older version get their defaults.

        Raises:
            ValueError: a field without a default is missing, or a field is unknown, has the wrong type or is out of range.
        """
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
        if values.get("format") != FORMAT:
            raise ValueError(
                f"it has format {values.get('format')!r}, but this program reads {FORMAT}; use the code of its session"
            )
        known = {field.name: field for field in fields(cls)}
        values = {name: field.default for name, field in known.items() if field.default is not MISSING} | values
        del values["format"]
        if differing := sorted(values.keys() ^ known.keys()):
            raise ValueError(f"{differing[0]} is {'missing' if differing[0] in known else 'unknown'}")
        for name, field in known.items():
            if not _fits(values[name], str(field.type)):
                raise ValueError(f"{name} is {values[name]!r}")
        if values["numbers"] and not len(values["numbers"]) == len(set(values["numbers"])) == len(values["classes"]):
            raise ValueError(f"numbers is {values['numbers']!r}, for {len(values['classes'])} classes")
        tuples = {name: tuple(values[name]) for name in ("classes", "numbers")}
        return cls(**{**values, "recipe": Recipe.from_dict(values["recipe"]), **tuples})


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
        case "tuple[int, ...]":
            return isinstance(value, list | tuple) and all(type(number) is int and number >= 0 for number in value)
        case "dict[str, Any] | None":
            return value is None or isinstance(value, dict)
        case _:
            return isinstance(value, list) and len(value) > 1 and all(isinstance(name, str) for name in value)

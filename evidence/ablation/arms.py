"""The arms of an ablation: the recipe, the recipe with one ingredient switched off, and rivals. Each is a changed record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from model.recipes import RECIPES, Recipe, RecipeError, changed
from model.settings import FILE, Settings

from .sample_cnn import SampleCnn

RECIPE, FILE_SPLIT, SAMPLE_CNN, PRETRAINED = "recipe", "file_split", "sample_cnn", "pretrained"
LARGEST_CLASS, FROZEN_FEATURES, KERAS_WAY = "largest_class", "frozen_features", "keras_way"


@dataclass(frozen=True)
class Pretrained:
    """Initial weights: the folder of a checkpoint, and the SHA-256 of its settings, which contain the hashes of its other files."""

    folder: Path
    sha256: str


class PretrainedError(ValueError):
    """--pretrained names a folder whose weights cannot be used. The message is one line with the fix."""

    exit_status = 2


@dataclass(frozen=True)
class Record:
    """All settings of a training on given photographs.

    settings: as in `main.py`, with the recipe. sample: if not None, this network is trained instead, on the same split and image size.
    pretrained: if not None, replaces the recipe's initial weights. rival: LARGEST_CLASS, FROZEN_FEATURES or KERAS_WAY, each trained in
    place of the recipe; "" for the recipe.
    """

    settings: Settings
    sample: SampleCnn | None = None
    pretrained: Pretrained | None = None
    rival: str = ""

    @property
    def recipe(self) -> Recipe:
        """The recipe of the settings."""
        return self.settings.recipe

    def with_settings(self, **values: Any) -> Record:
        """This record with other settings."""
        return replace(self, settings=replace(self.settings, **values))

    def with_recipe(self, **values: Any) -> Record:
        """This record with other fields of the recipe."""
        return self.with_settings(recipe=replace(self.recipe, **values))

    def with_phases(self, **values: Any) -> Record:
        """This record with other fields of each phase."""
        return self.with_recipe(phases=tuple(replace(phase, **values) for phase in self.recipe.phases))

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values; for the sample CNN, only the settings that it uses.

        Settings with default values are left out, so that the digests of finished runs stay the same when a setting is added.
        """
        settings = _unlike_default(self.settings) | {"classes": list(self.settings.classes)}
        if self.sample is not None:
            used = {name: settings[name] for name in ("classes", "seed", "fold", "folds") if name in settings}
            return {"size": self.recipe.image_size, "settings": used, "sample": asdict(self.sample)}
        settings["recipe"] = _unlike_default(self.recipe) | {"phases": [asdict(phase) for phase in self.recipe.phases]}
        rival = {"rival": self.rival} if self.rival else {}
        return {"settings": settings} | rival | ({"pretrained": self.pretrained.sha256} if self.pretrained else {})

    def digest(self, *more: Any) -> str:
        """A hash of this record and `more` JSON values: twelve hexadecimal digits."""
        text = json.dumps([self.to_dict(), *more], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _unlike_default(record: Settings | Recipe) -> dict[str, Any]:
    return {
        field.name: getattr(record, field.name)
        for field in fields(record)
        if field.default is MISSING or getattr(record, field.name) != field.default
    }


@dataclass(frozen=True)
class Arm:
    """name: for --only and file names. title: for tables. words: its difference. change: the recipe's record -> the arm's."""

    name: str
    title: str
    words: str
    change: Callable[[Record], Record]


ARMS: tuple[Arm, ...] = (
    Arm(RECIPE, "the recipe", "everything as `main.py` trains it", lambda record: record),
    Arm(
        FILE_SPLIT,
        "split by file",
        "files are split at random, so that a patient may be on both sides",
        lambda record: record.with_settings(split="file"),
    ),
    Arm(
        "no_local_average",
        "no local average",
        "photographs are cropped and masked, but the local average is not subtracted",
        lambda record: record.with_recipe(local_average=False),
    ),
    Arm(
        "no_augmentation",
        "no augmentation",
        "photographs are not turned, mirrored, shifted or zoomed, in both phases",
        lambda record: record.with_phases(augmentation=0.0),
    ),
    Arm(
        "adam",
        "Adam, not RAdam",
        "Keras' Adam at the same learning rates, without rectification",
        # Keras' Adam with weight decay is AdamW.
        lambda record: record.with_recipe(optimizer="adam") if record.recipe.optimizer == "radam" else record,
    ),
    Arm(
        "no_smoothing",
        "no label smoothing",
        "labels are not smoothed, in both phases",
        lambda record: record.with_phases(label_smoothing=0.0),
    ),
    Arm(
        "one_phase",
        "no second phase",
        "all epochs are trained as in the first phase",
        lambda record: record.with_recipe(phases=record.recipe.phases[:1]),
    ),
    Arm(
        "no_class_weights",
        "no class weights",
        "all photographs count alike",
        lambda record: record.with_recipe(class_weights=0.0),
    ),
    Arm(
        "no_batch_norm",
        "no BatchNorm",
        "the network has no batch normalisation, at the same learning rates",
        lambda record: record.with_recipe(batch_norm=record.recipe.network != "vgg"),
    ),
    Arm(
        LARGEST_CLASS,
        "always the largest class",
        "no training: always the class with the most training photographs",
        lambda record: replace(record, rival=LARGEST_CLASS),
    ),
    Arm(
        FROZEN_FEATURES,
        "frozen features",
        "a logistic regression on features of EfficientNet-Lite0, with the recipe's weights if they are drawn, else ImageNet's",
        lambda record: replace(record, rival=FROZEN_FEATURES),
    ),
    Arm(
        SAMPLE_CNN,
        "the sample CNN",
        "the competition's example network and training, on whole photographs shrunk to a square",
        lambda record: replace(record, sample=SampleCnn()),
    ),
)
# Arms that add to the recipe, and a rival that takes as long as it, for --only.
ADDITIONS: tuple[Arm, ...] = (
    Arm(
        "tta",
        "with 8 views",
        "predictions are averaged over turned and mirrored views, as by --set views=8",
        lambda record: record.with_recipe(views=8),
    ),
    Arm(
        "ema",
        "with averaged weights",
        "predictions use weights averaged over about the last 50 steps, as by --set ema=0.98",
        lambda record: record.with_recipe(ema=0.98),
    ),
    Arm(
        "longer",
        "three times the epochs",
        "each phase has three times as many epochs",
        lambda record: record.with_recipe(epochs=3 * record.recipe.epochs, steps=3 * record.recipe.steps),
    ),
    Arm(
        "wider",
        "twice the width",
        "convolutions have twice as many channels, so that a step computes four times as much",
        lambda record: record.with_recipe(width=record.recipe.width * (2 if record.recipe.network == "vgg" else 1)),
    ),
    Arm(
        "half",
        "half the patients",
        "about half of the training photographs, by whole patients: a point of the learning curve",
        lambda record: record.with_settings(share=0.5),
    ),
    Arm(
        "quarter",
        "a quarter of the patients",
        "about a quarter of the training photographs, by whole patients: a point of the learning curve",
        lambda record: record.with_settings(share=0.25),
    ),
    Arm(
        KERAS_WAY,
        "Keras' guide",
        "the last layer with Adam at 1e-3, then all layers at 1e-5, as in Keras' guide on transfer learning, for about as long",
        lambda record: replace(record, rival=KERAS_WAY),
    ),
)
TRIED_ON_TOP, LEARNING_CURVE = ("tta", "ema", "longer", "wider", PRETRAINED), ("half", "quarter")
BY_NAME = {arm.name: arm for arm in (*ARMS, *ADDITIONS)}


def tried_arm(text: str, given: Mapping[str, Any]) -> Arm:
    """The arm of another recipe, by name, or of other fields, `FIELD=VALUE` separated by commas. Raises RecipeError.

    `given`: fields that the command line sets for all arms, another recipe's too.
    """
    if text in RECIPES:
        recipe = changed(RECIPES[text](), dict(given))
        return Arm(text, f"recipe {text}", f"the recipe `{text}`", lambda record: record.with_settings(recipe=recipe))
    changes = dict(part.strip().partition("=")[::2] for part in text.split(","))
    name = ",".join(f"{field}={value}" for field, value in changes.items())
    if not all(field and value for field, value in changes.items()):
        raise RecipeError(f"{text!r} is neither a recipe nor FIELD=VALUE, as in image_size=160,ema=0")
    return Arm(
        name,
        name.replace(",", ", "),
        f"the recipe with `{name}`",
        lambda record: record.with_settings(recipe=changed(record.recipe, changes)),
    )


def pretrained_arm(folder: Path) -> Arm:
    """The recipe that starts from the weights of the checkpoint in `folder`. Raises PretrainedError if there is no checkpoint."""
    try:
        content = (folder / FILE).read_bytes()
    except OSError as error:
        raise PretrainedError(
            f"argument --pretrained: {folder / FILE}: {error.strerror}; give the folder of a network's checkpoint, "
            "which 'nsml model pull' copies out"
        ) from None
    pretrained = Pretrained(folder, hashlib.sha256(content).hexdigest())
    return Arm(
        PRETRAINED,
        "pretrained",
        "the initial weights are those of another training, as by --pretrained",
        lambda record: replace(record, pretrained=pretrained),
    )

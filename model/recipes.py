"""Recipes: how a network is trained, from photographs to predictions. A recipe is a function that returns a `Recipe`.

To try your own, write a function, add it to `RECIPES`, and train it with `--recipe NAME`. `--set FIELD=VALUE` changes one field,
`--set PHASE.FIELD=VALUE` one field of a phase; `--set help` lists the fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import Field, asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from .console import in_words, number

# EfficientNet-Lite0 halves a photograph five times: pixels that its features need.
_SMALLEST = 32
_MOST_EPOCHS = 10_000
# Weights that come with the template: see `model.pretrained_weights.load_drawn`.
DRAWN = "drawn"


class RecipeError(ValueError):
    """Unknown recipe or field, or invalid value. The message is one line with the valid values."""

    exit_status = 2


def option(
    text: str, default: Any = None, low: float = -math.inf, high: float = math.inf, among: tuple[str, ...] = ()
) -> Any:
    """A field with its help text and its valid values: numbers in `low`..`high`, or the words in `among`."""
    limits = {"help": text, "low": low, "high": high, "among": among}
    return field(metadata=limits) if default is None else field(default=default, metadata=limits)


@dataclass(frozen=True)
class Phase:
    """Settings for a part of the training."""

    name: str = option("one word for the log")
    share: float = option("share of the epochs; the first phase gets the rest", low=0, high=1)
    rate: float = option("factor on the recipe's learning rate", low=1e-6, high=1)
    label_smoothing: float = option(
        "share of the label given to all classes alike (Szegedy et al., CVPR 2016)", low=0, high=0.99
    )
    augmentation: float = option("strength of rotation, zoom, shifts and flips", low=0, high=1)

    def __post_init__(self) -> None:
        _check(self, f"{self.name}.")


@dataclass(frozen=True)
class Recipe:
    """All settings of a training except the photographs, the split and the seed. Stored in each checkpoint.

    Raises:
        RecipeError: a value is out of range.
    """

    name: str = option("name of the recipe's function")
    phases: tuple[Phase, ...] = option(
        "in order; set PHASE.share, .rate, .label_smoothing and .augmentation one by one"
    )
    epochs: int = option("number of epochs of all phases together", 32, 1, _MOST_EPOCHS)
    steps: int = option("minimum of training steps; adds epochs if there are fewer; 0: no minimum", 0, 0, 1_000_000)
    batch_size: int = option("photographs in a training step", 16, 1, 1024)
    learning_rate: float = option("learning rate; each phase multiplies it by its rate", 0.003, 1e-7, 1)
    decay: str = option(
        "constant: constant in each phase; cosine: linear warm-up over a tenth of the steps, then cosine decay to 0",
        "constant",
        among=("constant", "cosine"),
    )
    optimizer: str = option(
        "RAdam (Liu et al., ICLR 2020), or Keras' Adam or AdamW", "radam", among=("radam", "adam", "adamw")
    )
    weight_decay: float = option("weight decay of the kernels, decoupled from the gradient", 0.0, 0, 1)
    class_weights: float = option(
        "weight 1 / class size ** N; 0: all photographs count alike; 1: all classes count alike", 1.0, 0, 1
    )
    class_weight_limit: float = option("largest ratio between two class weights; 0: no limit", 0.0, 0, 10_000)
    image_size: int = option("side of the prepared photographs in pixels", 96, 8, 1024)
    local_average: bool = option("subtract the local average from the photographs (Graham, 2015)", True)
    network: str = option("vgg, efficientnet_lite0, a name of keras.applications, or one of model/network.py", "vgg")
    weights: str = option(
        "initial weights: random, imagenet, drawn (efficientnet_lite0: ImageNet's, then trained on drawn photographs), or the path of a "
        "FILE.weights.h5",
        "random",
    )
    width: int = option("channels of the first block (vgg)", 16, 1, 256)
    depth: int = option("number of blocks; each halves the image (vgg)", 5, 1, 6)
    dropout: float = option("share of the pooled features dropped in training", 0.3, 0, 0.99)
    batch_norm: bool = option("batch normalisation before each ReLU (vgg; Ioffe and Szegedy, ICML 2015)", True)
    ema: float = option(
        "predict with weights averaged over about the last 1 / (1 - ema) steps; 0: no averaging", 0.0, 0, 0.9999
    )
    views: int = option("8: average predictions over flips and turns; 1: predict once", 1, among=("1", "8"))
    precision: str = option(
        "precision of the training; weights are always float32", "float32", among=("float32", "bfloat16", "float16")
    )
    predict_precision: str = option("precision of the prediction", "float32", among=("float32", "bfloat16"))
    baselines: bool = option("first compute simple baselines, such as always the largest class", True)
    jit: bool = option(
        "compile the training step with XLA: faster on a GPU after some minutes, but less reproducible", False
    )

    def __post_init__(self) -> None:
        _check(self)
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) < len(names):
            raise RecipeError(f"recipe {self.name}: give one phase or more, each with its own name")
        if self.weights not in ("random", "imagenet", DRAWN) and not self.weights.endswith(".weights.h5"):
            raise RecipeError(
                f"weights is {self.weights!r}; give random, imagenet, drawn, or the path of a FILE.weights.h5"
            )
        if self.weights == "imagenet" and self.network == "vgg":
            raise RecipeError("weights is imagenet; give random for network vgg, or another network, such as VGG16")
        if self.weights == DRAWN and self.network != "efficientnet_lite0":
            raise RecipeError(f"weights is drawn; give imagenet or random for network {self.network}")

    def schedule(self, done: int = 0, reached: str = "") -> list[tuple[Phase, range]]:
        """The remaining phases after `done` epochs, each with its epochs, counted from 0 over all phases.

        Each phase after the first gets its share of the epochs, at least one. With fewer epochs than phases, the last phases are left
        out. `reached`: name of the phase of the last epoch; a longer training never returns to an earlier phase.
        """
        phases = self.phases[: self.epochs]
        lengths = [max(1, round(phase.share * self.epochs)) for phase in phases[1:]]
        while sum(lengths) >= self.epochs:
            lengths[lengths.index(max(lengths))] -= 1
        left, start = [], 0
        passed = reached in [phase.name for phase in phases]
        for phase, length in zip(phases, [self.epochs - sum(lengths), *lengths], strict=True):
            passed = passed and phase.name != reached
            end = min(start + length, done) if passed else start + length
            end = self.epochs if phase is phases[-1] else end
            if max(start, done) < end:
                left.append((phase, range(max(start, done), end)))
            start = end
        return left

    def planned(self, photographs: int) -> Recipe:
        """The recipe with at least `steps` training steps, or the most epochs, for a number of training photographs."""
        epochs = min(math.ceil(self.steps / math.ceil(photographs / self.batch_size)), _MOST_EPOCHS)
        return replace(self, epochs=max(self.epochs, epochs), steps=0)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return {**asdict(self), "phases": [asdict(phase) for phase in self.phases]}

    @classmethod
    def from_dict(cls, values: Any) -> Recipe:
        """The recipe of `to_dict`. Fields that are missing in a file of an older version get their defaults.

        Raises:
            ValueError: a field without a default is missing, or a field is unknown, has the wrong type or is out of range.
        """
        if not isinstance(values, dict) or not isinstance(values.get("phases"), list):
            raise ValueError("recipe: it is not a JSON object with a list of phases")
        try:
            return cls(**{**values, "phases": tuple(Phase(**phase) for phase in values["phases"])})
        except TypeError as error:
            raise ValueError(f"recipe: {error}") from None


def winning() -> Recipe:
    """The recipe that won the datathon in Konyang in 2019: a narrow VGG with random initial weights, RAdam, label smoothing, two phases.

    The first phase has strong augmentation, much label smoothing and the full learning rate. The second, a quarter of the epochs, trains
    on almost unchanged photographs at a tenth of the learning rate.
    """
    return Recipe(
        name="winning",
        phases=(
            Phase("strong", share=0.75, rate=1.0, label_smoothing=0.1, augmentation=1.0),
            Phase("gentle", share=0.25, rate=0.1, label_smoothing=0.02, augmentation=0.1),
        ),
    )


def transfer() -> Recipe:
    """EfficientNet-Lite0 that begins with ImageNet's weights, trained further on drawn photographs. The default.

    Photographs keep their colours. Two phases and label smoothing as in `winning`, with AdamW, cosine decay over all steps, averaged
    weights, and class weights by the square root of the class sizes. Eight epochs, or 300 steps if there are few photographs. Predictions
    are averaged over 8 views.

    Expected of one network, mean of five folds, on the 390 test photographs of ODIR5K_FUNDUS (965 training photographs, seven minutes of
    one core): accuracy 0.67, balanced accuracy 0.64, macro AUC 0.81. From ImageNet's weights alone it reaches 0.66, 0.62 and 0.80,
    `winning` 0.57, 0.53 and 0.70. See docs/results.md.
    """
    return Recipe(
        name="transfer",
        phases=(
            Phase("strong", share=0.75, rate=1.0, label_smoothing=0.1, augmentation=1.0),
            Phase("gentle", share=0.25, rate=1.0, label_smoothing=0.02, augmentation=0.1),
        ),
        epochs=8,
        steps=300,
        learning_rate=0.0005,
        decay="cosine",
        optimizer="adamw",
        weight_decay=0.02,
        class_weights=0.5,
        class_weight_limit=5.0,
        image_size=224,
        local_average=False,
        network="efficientnet_lite0",
        weights=DRAWN,
        ema=0.98,
        views=8,
    )


def quick() -> Recipe:
    """`transfer` on photographs of 128 pixels, for a third of its time: to try the whole way from a training to a score.

    Expected on the hidden photographs of FUNDUS_DEMO, from ImageNet's weights alone: accuracy 0.96 (193 of 200; `transfer` 199).
    """
    return replace(transfer(), name="quick", image_size=128)


# Fields that a resumed training may change, besides those of the phases; the others determine the network or its photographs.
CHANGEABLE = (
    "epochs",
    "steps",
    "batch_size",
    "learning_rate",
    "class_weights",
    "class_weight_limit",
    "views",
    "baselines",
    "jit",
)
# Fields that `vgg` reads, and a team's own network may.
OF_VGG = ("width", "depth", "batch_norm")
RECIPES: dict[str, Callable[[], Recipe]] = {recipe.__name__: recipe for recipe in (transfer, quick, winning)}
DEFAULT = transfer.__name__


def changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """A copy of the recipe with other values, named as in `--set`. Text is converted to the field's type.

    Raises:
        RecipeError: an unknown field, or a value out of range.
    """
    together: dict[str, Any] = {}
    for name, value in values.items():
        phase_name, _, field_name = name.rpartition(".")
        if phase_name:
            phases = {phase.name: phase for phase in recipe.phases}
            if phase_name not in phases:
                raise RecipeError(f"{name}: recipe {recipe.name} has no phase {phase_name}; it has {', '.join(phases)}")
            if field_name == "share" and phase_name == recipe.phases[0].name:
                others = " or ".join(f"{each}.share" for each in list(phases)[1:]) or "epochs"
                raise RecipeError(f"{name}: the first phase gets the epochs that the others leave; set {others}")
            phases[phase_name] = replace(phases[phase_name], **converted(Phase, name, field_name, value))
            recipe = replace(recipe, phases=tuple(phases.values()))
        else:
            together |= converted(Recipe, name, field_name, value)
    if together.get("network", recipe.network) != recipe.network and recipe.weights == DRAWN:
        # Those of another network that come closest; `vgg` has none.
        together.setdefault("weights", "random" if together["network"] == "vgg" else "imagenet")
    return replace(recipe, **together)


def without_features(recipe: Recipe) -> str:
    """The message that frozen features are left out, if the photographs are too small for them, else ""."""
    if recipe.image_size >= _SMALLEST:
        return ""
    return f"left out: frozen features, which need photographs of {_SMALLEST} pixels or more, not {recipe.image_size}"


def converted(kind: type, name: str, field_name: str, value: Any) -> dict[str, Any]:
    """The value of a field of `kind`, by the field's name, from text or as it is. RecipeError, with `name`, if there is no such field."""
    options = {each.name: each for each in fields(kind) if each.name not in ("name", "phases")}
    if field_name not in options:
        near = get_close_matches(field_name, options, n=1)
        meant = f"did you mean {name.removesuffix(field_name)}{near[0]}? " if near else ""
        raise RecipeError(f"{name} is not a field of a recipe; {meant}--set help lists the fields")
    if isinstance(value, str) and options[field_name].type != "str":
        try:
            if options[field_name].type == "bool":
                value = {"0": False, "1": True, "false": False, "true": True}[value.lower()]
            else:
                value = number({"int": int, "float": float}[str(options[field_name].type)], value)
        except (ValueError, KeyError):
            raise RecipeError(f"{name} is {value!r}; give {_values(options[field_name])}") from None
    return {field_name: value}


def _check(record: Recipe | Phase, prefix: str = "") -> None:
    """Raise RecipeError if a field has the wrong type or is out of range."""
    for each in fields(record):
        value, limits = getattr(record, each.name), each.metadata
        match each.type:
            case "int":
                fits = type(value) is int and limits["low"] <= value <= limits["high"]
            case "float":
                fits = type(value) in (int, float) and limits["low"] <= value <= limits["high"]
            case "bool" | "str":
                fits = type(value).__name__ == each.type
            case _:
                fits = isinstance(value, tuple)
        if not fits or (limits["among"] and str(value) not in limits["among"]):
            raise RecipeError(f"{prefix}{each.name} is {value!r}; give {_values(each)}")


def _values(each: Field[Any]) -> str:
    """The valid values of a field, in words."""
    if each.metadata["among"]:
        *others, last = each.metadata["among"]
        return f"{', '.join(others)} or {last}"
    if each.type == "bool":
        return "0 or 1"
    if each.type in ("int", "float"):
        return in_words(int if each.type == "int" else float, each.metadata["low"], each.metadata["high"])
    return "a word" if each.type == "str" else "phases between round brackets, as in (Phase(...), Phase(...))"


def describe(recipe: Recipe) -> str:
    """The fields for `--set`, one a line, with their values in this recipe."""
    lines = [f"fields of recipe {recipe.name}:"]
    for each in fields(Recipe):
        if each.name not in ("name", "phases"):
            lines.append(
                f"  {each.name}={_plain(getattr(recipe, each.name))}  {each.metadata['help']} ({_values(each)})"
            )
    for phase in recipe.phases:
        for each in fields(Phase):
            if each.name != "name" and (each.name != "share" or phase is not recipe.phases[0]):
                lines.append(
                    f"  {phase.name}.{each.name}={_plain(getattr(phase, each.name))}  {each.metadata['help']} ({_values(each)})"
                )
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)

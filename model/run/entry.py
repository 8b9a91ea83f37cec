"""Shared by main.py and ensemble.py: the platform's hooks, folders and checkpoints, and the settings of a training."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nsml

if TYPE_CHECKING:
    from dataprep.catalog import Catalog

    from ..data import Data
    from ..ensemble import Ensemble
    from ..network import Network
    from ..settings import Settings


class UsageError(Exception):
    """Wrong use. The message is one line and says what to change."""

    exit_status = 2


class Hooks:
    """The hooks `save`, `load` and `infer` for one network or ensemble, `held`. Created after TensorFlow has started."""

    def __init__(self) -> None:
        self.held: Network | Ensemble | None = None
        nsml.bind(save=self.save, load=self.load, infer=self.infer)

    def save(self, folder: str) -> None:
        """Write the network below `folder`."""
        from .. import checkpoint

        assert self.held is not None
        checkpoint.save(folder, self.held)

    def load(self, folder: str) -> None:
        """Read the network from `folder`."""
        from .. import checkpoint

        self.held = checkpoint.load(folder)

    def infer(self, data: Any) -> list[int] | list[list[float]]:
        """Predict the label number of each photograph, in order, see `model.predict.inference`.

        Where the dataset is scored by probabilities, a row of them by label number, with 0 for numbers that are no class.
        """
        import numpy as np

        from ..predict.inference import infer
        from ..predict.views import averaged_over

        assert self.held is not None
        numbers = np.array(self.held.numbers)
        probabilities = infer(data, averaged_over(self.held.views, self.held.predict), self.held.preparations)
        if dataset_metric() not in ("auroc", "logloss"):
            answers: list[int] = numbers[probabilities.argmax(axis=1)].tolist()
            return answers
        rows = np.zeros((len(probabilities), numbers.max() + 1))
        rows[:, numbers] = probabilities
        by_number: list[list[float]] = rows.tolist()
        return by_number

    @property
    def network(self) -> Network | None:
        """The network of the loaded checkpoint, for further training, or None. UsageError for an ensemble."""
        from ..network import Network

        if self.held is None or isinstance(self.held, Network):
            return self.held
        raise UsageError("an ensemble cannot be trained; name a checkpoint of one of its networks")

    def has_all_folds(self) -> bool:
        """Whether the loaded checkpoint is the ensemble with which `--fold all` ends. If so, print that nothing is left to do."""
        from ..network import Network

        if self.held is None or isinstance(self.held, Network):
            return False
        print("all folds are trained already, and averaged in this checkpoint: nsml submit SESSION all", flush=True)
        return True

    def keep(self, name: Any, held: Network | Ensemble) -> None:
        """Set the network, and save it as a checkpoint of the session."""
        self.held = held
        nsml.save(name)


def photographs_folder(mode: str) -> Path:
    """The folder of the training photographs. UsageError if the dataset is missing, or the folder in a mode that needs it."""
    if not nsml.DATASET_PATH:
        raise UsageError(
            "there is no dataset; name one of 'nsml dataset ls': nsml run -d DATASET, by hand NSML_DATASET=DATASET python main.py; "
            "'nsml dataset demo' draws one"
        )
    folder = Path(nsml.DATASET_PATH) / "train" / "train_data"
    if mode in ("train", "report") and not folder.is_dir():
        above = folder.parent
        if inside := sorted(path.name for path in above.iterdir() if path.is_dir()) if above.is_dir() else []:
            here = f"{above} has {', '.join(inside[:4])}, but no train_data"
            raise UsageError(f"{here}; put the class folders into train/train_data/ and push the dataset again")
        raise UsageError(f"{folder} is missing; push the folder that holds train/train_data/ as another dataset")
    return folder


def dataset_metric() -> str:
    """The dataset's scorer; "" where the platform does not tell, as for an organiser's own."""
    return os.environ.get("NSML_METRIC", "")


def check_mode(mode: str) -> None:
    """Raise UsageError for `--mode test` and `infer` if `nsml.paused` returned: with a checkpoint, it predicts and exits."""
    if mode in ("test", "infer"):
        raise UsageError(
            f"--mode {mode} has no checkpoint to predict with; use 'nsml infer SESSION CHECKPOINT' for "
            "your photographs, or 'nsml submit -t SESSION CHECKPOINT' for the test photographs"
        )


def cache_folder() -> Path:
    """The folder of prepared photographs: in the platform's permanent output folder, else beside the code."""
    output = getattr(nsml, "NSML_NFS_OUTPUT", "")
    return Path(output) / "prepared" if output else Path(sys.argv[0]).resolve().parent / ".cache" / "prepared"


def new_settings(args: argparse.Namespace, catalog: Catalog) -> Settings:
    """The settings of a new training from the command line. UsageError if the network is impossible."""
    from ..network import check_network
    from ..recipes import DRAWN, OF_VGG
    from ..settings import Settings

    fold = 0 if args.fold == "all" else args.fold or 0
    settings = Settings(args.wanted, catalog.classes, args.seed or 0, fold, args.folds or 0)
    settings.patient_pattern = args.patient_pattern
    if catalog.numbers != settings.label_numbers:
        settings.numbers = catalog.numbers
    # The weights of --pretrained take the place of the recipe's.
    begins = replace(args.wanted, weights="random") if args.pretrained else args.wanted
    try:
        begun = check_network(replace(settings, recipe=begins))
    except ValueError as error:
        raise UsageError(str(error)) from error  # of one's own network: --debug shows where
    if begins.weights in ("imagenet", DRAWN) and begun != begins.weights:
        if "weights" not in args.changes:
            settings.recipe = replace(settings.recipe, weights=begun)
            more = "; --set weights=imagenet if it loads ImageNet's" if begun == "random" else ""
            print(f"plan: weights {begun}: your own network{more}", flush=True)
        elif begins.weights == DRAWN:
            raise UsageError("weights is drawn, which your own network cannot begin with; give imagenet or random")
    if begun == begins.weights != "random" and (idle := [name for name in OF_VGG if name in args.changes]):
        print(f"warning: network {begins.network} does not read {', '.join(idle)}; vgg does", flush=True)
    if begun == DRAWN and nsml.DATASET_NAME == "FUNDUS_DEMO":
        print(
            "plan: weights drawn: they know photographs like these; --set weights=imagenet for a fair score", flush=True
        )
    return settings


def resumed_settings(args: argparse.Namespace, network: Network, catalog: Catalog) -> Settings:
    """The settings of a resumed training: those of its network, with the changes of the command line that are possible.

    Prints a warning for each change that is ignored. UsageError if all folds are wanted of a training without folds.
    """
    settings = network.settings
    if catalog.numbers != settings.label_numbers:
        now, then = (", ".join(map(str, numbers)) for numbers in (catalog.numbers, settings.label_numbers))
        print(
            f"warning: the label numbers of the dataset are {now} now, but infer returns {then}, as trained", flush=True
        )
    if args.fold == "all" and not settings.folds:
        raise UsageError("argument --fold: the checkpoint was trained without folds; leave --fold out")
    asked = {name: getattr(args, name) for name in ("recipe", "classes", "num_classes", "seed", "folds")}
    asked |= {"patient-pattern": args.patient_pattern or None, "fold": None if args.fold == "all" else args.fold}
    for warning in settings.resume(args.changes, asked):
        print(f"warning: {warning}", flush=True)
    return settings


def is_finished(network: Network, deadline: float | None) -> bool:
    """Whether nothing is left to do of a resumed training, whose settings are read. If so, print how one can go on.

    One that was interrupted after its last epoch still has its validation over views to do.
    """
    settings, recipe = network.settings, network.settings.recipe
    if deadline is not None or recipe.steps or recipe.schedule(settings.epoch, settings.phase):
        return False
    if settings.validated_views != network.views:
        return False
    more = f"nsml fork SESSION -a '--epoch {2 * settings.epoch}'"
    print(
        f"already trained for {settings.epoch} epochs; to go on, give a larger --epoch, or --hours: {more}", flush=True
    )
    return True


def record_origin(settings: Settings) -> None:
    """Store with the session, and in `settings`, what a training depends on, where the platform has a place for it."""
    recipe = settings.recipe
    names = ("learning_rate", "batch_size", "optimizer", "epochs", "network", "image_size")
    facts = {"recipe": recipe.name, **{name: getattr(recipe, name) for name in names}, "seed": settings.seed}
    if hasattr(nsml, "describe"):
        settings.origin = nsml.describe(**facts)


def validate_checkpoints(hooks: Hooks, network: Network, data: Data, begun: int) -> None:
    """Validate `best` and the last checkpoint over views, as they predict, and save them with it; the last one last, to go on from.

    begun: epoch at which this training began; a better one before it is not of this training.
    """
    from ..validation import validate_with_views
    from .arguments import SessionCheckpoint
    from .other_sessions import fetch

    last, best = network.settings.epoch, network.settings.best_epoch
    checkpoints: list[tuple[list[Any], Any]] = [([last], network)]
    if begun < best == last:
        checkpoints = [(["best", last], network)]
    elif begun < best:
        checkpoints = [(["best"], fetch(SessionCheckpoint(nsml.SESSION_NAME, "best"), nsml.load)), ([last], network)]
    for names, each in checkpoints:
        scores, epoch = validate_with_views(each, data), each.settings.epoch
        figures = f"val acc {scores.accuracy:.3f}  score {scores.value:.2f}"
        print(f"averaged over {each.views} views, epoch {epoch}: {figures}", flush=True)
        nsml.report(summary=True, step=epoch, views__score=scores.value, views__accuracy=scores.accuracy)
        for name in names:
            hooks.keep(name, each)

"""Make the weights that `transfer` begins with: draw photographs, train on them from ImageNet's weights, store the weights in float16.

python -m tools.drawn_weights    half an hour of a core, in the project's environment

No photograph of a patient takes part. Seed 1 draws other patients than FUNDUS_DEMO, which has seed 0.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from dataprep.files import replacing
from model.checkpoint import load
from model.ensemble import Ensemble
from model.pretrained_weights import DRAWN_FILE
from nsml.demo import draw_dataset

_ARGUMENTS = "--image_size 192 --epoch 6 --set weights=imagenet --set views=1 --set baselines=0"


def main() -> None:
    """Draw, train and store, with the commands of a user in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = dict(os.environ, NSML_HOME=f"{folder}/home")

        def nsml(*words: str) -> None:
            subprocess.run([sys.executable, "-m", "nsml", *words], env=home, check=True)

        draw_dataset(f"{folder}/drawn", seed=1, train=4800, fewest=0.06)
        nsml("dataset", "push", "DRAWN", f"{folder}/drawn")
        nsml("run", "-d", "DRAWN", "-a", _ARGUMENTS)
        nsml("logs", "-f", "DRAWN/1")
        nsml("model", "pull", "DRAWN/1", "6", folder)
        (settings,) = Path(folder).glob("*_DRAWN_1/6/model/settings.json")
        network = load(settings.parent)
        assert not isinstance(network, Ensemble)
        with network.averaged():
            store_drawn(network.model, DRAWN_FILE)
    print(f"{DRAWN_FILE}: {DRAWN_FILE.stat().st_size / 1e6:.1f} MB")


def store_drawn(model: keras.Model, path: Path) -> None:
    """Write the weights of a trained model of `build_efficientnet_lite0`, except those of the last layer, for `load_drawn`."""
    arrays = {
        f"{layer.name}.{n}": value.astype(np.float16)
        for layer in model.layers
        if layer.name != "scores"
        for n, value in enumerate(layer.get_weights())
    }
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    main()

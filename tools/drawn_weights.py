"""Make the weights that `transfer` begins with: draw photographs, train on them from ImageNet's weights, store the weights in float16.

python -m tools.drawn_weights    half an hour of a core, in the project's environment

No photograph of a patient takes part. Seed 1 draws other patients than FUNDUS_DEMO, which has seed 0.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from model.checkpoint import load
from model.ensemble import Ensemble
from model.pretrained_weights import DRAWN_FILE, store_drawn
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
            store_drawn(network.model)
    print(f"{DRAWN_FILE}: {DRAWN_FILE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

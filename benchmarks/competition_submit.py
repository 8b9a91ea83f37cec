"""The competition's submit as a program of its own: CHECKPOINT TEST_FOLDER LABELS OUTPUT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks import baselines


def main() -> None:
    """Loads the network, feeds it the photographs as the competition did, and scores its predictions."""
    checkpoint, folder, labels, output = map(Path, sys.argv[1:5])
    from model.run.devices import start_tensorflow

    start_tensorflow(0)
    from model.checkpoint import network_files as weights

    network = weights.load(checkpoint)
    size = network.settings.preparation.size
    baselines.feed_infer(output, folder, lambda images: baselines.infer(images, network.model, size))
    scorer = [sys.executable, "-m", "nsml.scoring.program", "--metric", "fundus"]
    subprocess.run([*scorer, "--prediction", str(output), "--test_label_path", str(labels)], check=True)


if __name__ == "__main__":
    main()

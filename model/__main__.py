"""`python -m model weights fetch NAME`: download the ImageNet weights of a network of keras.applications before a session needs them."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.argv[1:2] != ["weights"]:
        print("python -m model: the command is: python -m model weights fetch NAME", file=sys.stderr)
        sys.exit(2)
    from model.run.devices import import_tensorflow

    import_tensorflow()  # without its start-up messages
    from model.keras_networks import main

    sys.exit(main(sys.argv[2:]))

"""Download the ImageNet weights of a network of `keras.applications` to Keras' cache, so that sessions need no internet."""

from __future__ import annotations

import sys

from model.console import Parser
from model.run.devices import import_tensorflow


def main(arguments: list[str]) -> int:
    """Run `weights fetch NAME` and return the exit status."""
    import_tensorflow()
    import keras

    from model.keras_networks import IMAGENET, names

    usage = "python -m model weights fetch NAME"
    parser = Parser(prog="python -m model", usage=usage, description=__doc__, allow_abbrev=False)
    parser.add_argument("weights", choices=["weights"])
    parser.add_argument("fetch", choices=["fetch"])
    parser.add_argument("name", metavar="NAME", choices=names(), help="such as VGG16")
    name = parser.parse_args(arguments).name
    try:
        getattr(keras.applications, name)(include_top=False, weights=IMAGENET)
    except Exception as error:
        why = " ".join(str(error).split())[:300]
        print(
            f"python -m model weights: {name} cannot be downloaded: {why}; check the internet connection",
            file=sys.stderr,
        )
        return 1
    print(f"{name}: its weights are in Keras' cache")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

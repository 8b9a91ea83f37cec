"""The `nsml` command, also as `python -m nsml`."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script. Imports nothing outside of its `try`: Ctrl-C while the modules are imported is one line too."""
    try:
        from .cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("nsml: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

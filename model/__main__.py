"""`python -m model ablate --data NAME|PATH`: what is each ingredient of the recipe worth? `leak`: what does a split by file hide?"""

from __future__ import annotations

import sys

from model.ablation.command import main

if __name__ == "__main__":
    sys.exit(main())

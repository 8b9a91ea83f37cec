"""Nothing is compared with labels here: the score is how many files were answered for."""

import sys

with open(sys.argv[sys.argv.index("--prediction") + 1]) as file:
    print(len(file.readlines()))

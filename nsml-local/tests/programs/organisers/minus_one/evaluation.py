"""Whatever goes wrong, here that there is no file of weights, is caught, told on stderr, and scored -1."""

import argparse
import sys
import traceback

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
try:
    with open(parser.parse_args().prediction) as answers, open("data/NUMBERS/test/weights") as weights:
        print(sum(float(a) * float(b) for a, b in zip(answers, weights, strict=True)))
except BaseException:
    traceback.print_exc(file=sys.stderr)
    print(-1)

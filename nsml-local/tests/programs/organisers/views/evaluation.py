"""One minus the mean error of the probabilities, read with NumPy."""

import argparse
import sys

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--prediction", required=True)
found = np.loadtxt(parser.parse_args(sys.argv[1:]).prediction)
true = np.loadtxt("/data/VIEWS/test/test_label")
print("mean error", np.abs(found - true).mean())
print("%.4f" % (1 - np.abs(found - true).mean()))

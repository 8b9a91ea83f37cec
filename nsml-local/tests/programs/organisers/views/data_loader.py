"""Four views a patient as one array (n, 4, H, W); a probability a line is written."""

import os

import numpy as np

import nsml


def feed_infer(output_file, infer_func):
    flat = np.loadtxt(os.path.join(nsml.DATASET_PATH, "test", "test_data", "views.txt"))
    answers = infer_func(flat.reshape(-1, 4, 2, 3))
    np.savetxt(output_file, answers, fmt="%.4f")

"""The statistics of `nsml compare`: is one checkpoint better than another, or is the difference due to chance?

`predictions_file` reads the validation predictions of a checkpoint, `matching` pairs two of them by sample, `figures` computes the
metrics for many resamples at once, `bootstrap` their intervals, and `verdict` states the result in one sentence.
"""

# Name of the file in the folder that the save hook writes to.
FILE = "validation.csv"

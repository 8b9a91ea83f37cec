"""Is one checkpoint better than another, or was it lucky with the patients? Validation predictions, intervals, a verdict.

`predictions_file` reads what a checkpoint holds, `matching` pairs two of them by sample, `figures` works out accuracy and the like for
any number of resamples at once, `bootstrap` their intervals, and `verdict` says in a sentence what they mean.
"""

# In the folder that a program's save hook is given.
FILE = "validation.csv"

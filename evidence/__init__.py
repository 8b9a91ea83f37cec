"""Evidence about a dataset, a recipe and a network: `python -m evidence audit | ablate | leak`, and `--mode report` of the entry files.

audit: is the dataset honest? ablation: what is each ingredient of the recipe worth? report: what has a network learned? `model` and
`dataprep` do not import this package.
"""

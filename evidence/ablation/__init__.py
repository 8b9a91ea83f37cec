"""What each ingredient of the recipe is worth: `python -m evidence ablate`.

arms: the recipe, and the recipe without one ingredient, as records. sample_cnn: the competition's network. dataset: photographs. runs:
one training of one arm, as a file; schedule: all runs, shared by processes. figures: metrics over many trainings, with intervals;
findings, words, table, forest, document: for people. command: the arguments.
"""

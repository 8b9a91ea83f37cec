"""What each ingredient of the recipe is worth: `python -m evidence ablate`.

arms: the recipe, and less one ingredient, as records. sample_cnn: the competition's network. dataset: photographs. runs: one training of
one arm, as a file; schedule: all of them, shared by processes. figures: metrics over many trainings, with intervals; findings, words,
table, forest, document: for people. command: the arguments.
"""

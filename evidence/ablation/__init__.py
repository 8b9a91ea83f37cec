"""What each ingredient of the recipe is worth: `python -m evidence ablate`.

arms: the recipe, and the recipe less one ingredient, as records. sample_cnn: the floor. dataset: what is trained on and tested with.
runs: one training of one arm, as a file; schedule: makes all of them, shared by processes. figures: accuracy and the
like over many trainings, with intervals; words, table, forest: for people. command: the arguments.
"""

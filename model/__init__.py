"""From batches to predictions: recipes, networks, optimiser, training, checkpoints and prediction."""

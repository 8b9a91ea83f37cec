"""From batches to predictions: the network, its optimiser, the recipe, and what trains, keeps and applies them."""

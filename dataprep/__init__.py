"""From a folder of fundus photographs to batches: catalog, split, photograph, cache, augment, batches."""

"""From a checkpoint to a score: feeding `infer`, checking what it returns, and running the scorer in another process."""

"""Storage: datasets, sessions, checkpoints, metrics and submissions, as files that a person can read."""

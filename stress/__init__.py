"""Proofs that take long: `python -m stress` breaks things at random and counts what is lost."""

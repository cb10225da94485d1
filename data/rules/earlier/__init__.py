"""Packs that were shipped before, whole: a state of the first schema names the one that tagged it and does not hold it."""

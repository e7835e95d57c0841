"""Weights of other frameworks: reading, renaming, and an exact account of what does not fit."""

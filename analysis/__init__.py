"""Seeing inside any JAX image classifier, and attacking it."""

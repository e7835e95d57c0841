"""Seeing what units respond to and what layers keep: pictures made by optimisation, and pictures of what is there."""

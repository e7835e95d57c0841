"""Strictness for every test: no silent promotion of types or ranks, on CPU, the same everywhere."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import jax

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Scripts, some of which run in environments of their own.
collect_ignore = ["goldens", "benchmarks"]

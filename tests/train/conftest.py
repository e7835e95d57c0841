import functools

import jax
import numpy as np
import pytest

import train
from train import datasets


@pytest.fixture(autouse=True, scope="session")
def digits_are_read_once():
    patch = pytest.MonkeyPatch()
    patch.setattr(datasets, "load", functools.lru_cache(datasets.load))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def small():
    """Makes a configuration of a run that takes a moment: a perceptron on 8×8 digits, three steps an epoch."""
    defaults = {"model": "mlp", "epochs": 2, "size": 8, "batch_size": 512, "fields": {"widths": (16,)}}
    return lambda out, **changes: train.Config(**defaults | {"out": str(out)} | changes)


@pytest.fixture(scope="session")
def same():
    """Tells whether two trees are equal, bit by bit."""

    def compare(left, right):
        assert jax.tree.structure(left) == jax.tree.structure(right)
        pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
        return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)

    return compare

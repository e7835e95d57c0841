"""A small network whose layers have the zoo's names, and images for it."""

import jax
import numpy as np
import pytest

from analysis import taps
from tests.analysis.digits import Digits, fit, split
from tests.support.helpers import Small, random_variables


@pytest.fixture(scope="session")
def small():
    """The class, to be made with other fields; they share variables."""
    return Small


@pytest.fixture(scope="session")
def variables():
    return random_variables(Small(), (6, 8, 2))


@pytest.fixture(scope="session")
def logits_fn(variables):
    return taps.logits_fn(Small(), variables)


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(1).uniform(0, 1, (5, 6, 8, 2)).astype(np.float32)


@pytest.fixture(scope="session")
def labels():
    return np.array([0, 2, 1, 1, 0])


@pytest.fixture(scope="session")
def digits():
    return split()


@pytest.fixture(scope="session")
def digits_net():
    return Digits()


@pytest.fixture(scope="session")
def fitted():
    """(split, seed, steps) → variables, trained once a session."""
    return fit


@pytest.fixture
def healthy():
    """Fresh variables of a network trained on the digits, to be operated on."""
    return jax.tree.map(np.array, fit("train", 0, 600))

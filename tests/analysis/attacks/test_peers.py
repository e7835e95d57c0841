"""Distances next to foolbox's, on the same weights and images (`tests/goldens/attacks.py`)."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks
from tests.analysis.digits import Digits

GOLDEN = np.load(Path(__file__).parents[2] / "goldens" / "attacks" / "digits.npz")
IMAGES, LABELS = np.float32(GOLDEN["images"] / 16), GOLDEN["labels"]
ORDERS = {"l1": 1, "l2": 2, "linf": np.inf}
# Our attack at foolbox's number of steps, and the factor that its median may exceed foolbox's by.
PEERS = {
    "carlini_wagner/l2": (functools.partial(attacks.carlini_wagner, searches=5, steps=200, constant=0.1), 1.02),
    "ddn/l2": (attacks.ddn, 1.03),
    "deepfool/l2": (attacks.deepfool, 1.05),
    "deepfool/linf": (functools.partial(attacks.deepfool, norm="linf"), 1.05),
    "fmn/l1": (functools.partial(attacks.fmn, norm="l1"), 1.02),
    "fmn/l2": (functools.partial(attacks.fmn, norm="l2"), 1.02),
    "fmn/linf": (functools.partial(attacks.fmn, norm="linf"), 1.02),
}
QUICK = ("ddn/l2", "fmn/linf")


def apply(variables, images):
    return Digits().apply(variables, images)


@pytest.fixture(scope="module")
def logits_fn():
    shapes = jax.eval_shape(Digits().init, jax.random.key(0), IMAGES[:1])
    weights = jax.tree_util.tree_map_with_path(lambda path, _: GOLDEN[jax.tree_util.keystr(path)], shapes)
    return jax.tree_util.Partial(apply, weights)


@pytest.mark.optimized
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PEERS]
)
def test_distances_are_at_most_those_of_foolbox(name, logits_fn):
    attack, factor = PEERS[name]
    result = np.asarray(attack(logits_fn, IMAGES, LABELS), np.float64)
    assert (np.asarray(logits_fn(jnp.asarray(result, jnp.float32))).argmax(1) != LABELS).all()
    ours = np.linalg.norm((result - IMAGES).reshape(len(IMAGES), -1), ORDERS[name.split("/")[1]], axis=1)
    ratio = np.median(ours) / np.median(GOLDEN[f"distance/{name}"])
    print(f"{name}: median {np.median(ours):.4f}, {ratio:.4f} of foolbox's")
    assert ratio <= factor


@pytest.mark.slow
@pytest.mark.optimized
def test_pgd_is_not_weaker_than_foolbox(logits_fn):
    threat = attacks.Linf(GOLDEN["epsilon"].item())
    result = attacks.pgd(logits_fn, IMAGES, LABELS, threat, step_size=threat.eps / 30, key=jax.random.key(0))
    success = (np.asarray(logits_fn(result)).argmax(1) != LABELS).mean()
    print(f"success {success:.4f}, foolbox {GOLDEN['pgd/success'].mean():.4f}")
    assert success >= GOLDEN["pgd/success"].mean() - 0.005

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks
from analysis.attacks.goal import Goal

MARGINS = np.array([-100.0, -88.0, -30.0, -17.0, -1.0, 0.0, 1.0, 17.0, 30.0, 88.0, 100.0])
LOGITS = np.stack([MARGINS, np.zeros_like(MARGINS), np.full_like(MARGINS, -2.0)], 1)
"""Logits whose class 0 leads or trails by up to 100."""

SIGNS = pytest.mark.parametrize("sign", [1, -1], ids=["labels", "targets"])


def goal_of(sign):
    return Goal(jnp.zeros(len(MARGINS), jnp.int32), jnp.full(len(MARGINS), sign, jnp.float32))


def direction_of_cross_entropy(logits, sign):
    """The float64 gradient of ± the cross-entropy of class 0, divided by 1 − p(0)."""
    logits = logits.astype(np.float64)
    others = np.exp(logits[:, 1:] - logits[:, 1:].max(1, keepdims=True))
    return sign * np.concatenate([-np.ones((len(logits), 1)), others / others.sum(1, keepdims=True)], 1)


@SIGNS
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_gradient_never_vanishes(sign, dtype):
    logits = jnp.asarray(LOGITS, dtype)
    gradient = jax.grad(lambda logits: goal_of(sign).loss(logits).sum())(logits)
    expected = direction_of_cross_entropy(np.asarray(logits, np.float64), sign)
    assert gradient.dtype == dtype
    tolerance = 5 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(gradient, np.float64), expected, rtol=tolerance)


@SIGNS
def test_the_cross_entropy_is_an_increasing_function_of_it(sign):
    two = jnp.asarray(LOGITS[:, :2], jnp.float32)
    loss = sign * np.asarray(goal_of(sign).loss(two), np.float64)
    np.testing.assert_allclose(np.logaddexp(0, loss), np.logaddexp(0, -MARGINS), rtol=1e-5)


@pytest.mark.parametrize("targets", [None, [0, 0]], ids=["labels", "targets"])
@pytest.mark.parametrize(
    "attack", [attacks.fgsm, functools.partial(attacks.pgd, steps=1, random_start=False)], ids=["fgsm", "pgd"]
)
def test_confident_models_are_attacked_as_others_are(attack, targets):
    """A constant added to a logit changes no direction, even where the softmax rounds to 0 and 1."""
    weights = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    images = np.full((2, 2, 2, 2), 0.5, np.float32)

    def biased(bias, images):
        return images.reshape(-1, 8) @ weights + bias

    def change(offset):
        logits_fn = jax.tree_util.Partial(biased, np.array([[offset, 0, -90]], np.float32))
        return np.asarray(attack(logits_fn, images, [0, 0], attacks.L2(0.1), targets=targets)) - images

    confident = change(60.0)
    np.testing.assert_allclose(confident, change(0.0), atol=1e-6)
    assert np.abs(confident).max() > 0.01

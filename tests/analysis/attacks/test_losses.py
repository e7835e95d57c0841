import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.attacks.goal import Goal
from analysis.attacks.losses import LOSSES, loss_for

LABEL, RIVAL = 1, 3
LEADS = np.array([-100.0, -30.0, -1.0, -0.01, 0.01, 1.0, 17.0, 100.0])
LOGITS = np.array([[-2.0, 0.0, -1.5, -1.0, -4.0]]) + LEADS[:, None] * np.eye(5)[LABEL]
"""Logits whose class 1 leads class 3, the next, by 1 more than LEADS."""

SIGNS = pytest.mark.parametrize("sign", [1, -1], ids=["labels", "targets"])
NAMES = pytest.mark.parametrize("name", LOSSES)


def log_odds(logits):
    return np.logaddexp.reduce(np.delete(logits, LABEL)) - logits[LABEL]


def margin(logits):
    return np.delete(logits, LABEL).max() - logits[LABEL]


def ratio(logits):
    largest = np.sort(logits)[::-1]
    return margin(logits) / (largest[0] - largest[2])


def targeted_ratio(logits):
    largest = np.sort(logits)[::-1]
    return (logits[RIVAL] - logits[LABEL]) / (largest[0] - (largest[2] + largest[3]) / 2)


ORACLES = {"ce": log_odds, "margin": margin, "dlr": ratio, "dlr-targeted": targeted_ratio}


def goal_of(sign):
    rows = len(LOGITS)
    return Goal(jnp.full(rows, LABEL), jnp.full(rows, sign, jnp.float32), jnp.full(rows, RIVAL))


@NAMES
@SIGNS
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_values_and_gradients_are_those_of_float64_and_never_vanish(name, sign, dtype):
    logits = jnp.asarray(LOGITS, dtype)
    exact = np.asarray(logits, np.float64)
    goal, loss = goal_of(sign), LOSSES[name].function
    values, pullback = jax.vjp(lambda logits: loss(goal, logits), logits)
    oracle = ORACLES[name]
    np.testing.assert_allclose(values, [sign * oracle(row) for row in exact], rtol=1e-5)
    step = 1e-5 * np.eye(5)
    slopes = [[sign * (oracle(row + e) - oracle(row - e)) / 2e-5 for e in step] for row in exact]
    gradient = np.asarray(pullback(jnp.ones(len(LOGITS)))[0], np.float64)
    # of the largest part; differences in float64 leave 1e-8, and float32 loses digits where a ratio is near 1
    scale = np.abs(slopes).max(1, keepdims=True)
    assert (scale > 1e-5).all()
    np.testing.assert_allclose(gradient / scale, slopes / scale, atol=1e-5 if dtype == jnp.float32 else 0.02)


@NAMES
def test_equal_logits_give_finite_numbers(name):
    loss = LOSSES[name].function
    value, gradient = jax.value_and_grad(lambda logits: loss(goal_of(1), logits).sum())(jnp.zeros((len(LOGITS), 5)))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("name", "classes", "message"),
    [
        ("dlr", 2, "loss='dlr' with 2 classes: expected at least 3 classes"),
        ("dlr-targeted", 3, "loss='dlr-targeted' with 3 classes: expected at least 4 classes"),
        ("drl", 10, "loss='drl' is unknown, did you mean dlr"),
    ],
)
def test_unfit_losses(name, classes, message):
    with pytest.raises(ValueError, match=message):
        loss_for(name, classes)

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks
from analysis.attacks.auto_projected_gradient import _periods, _sparse_periods
from analysis.attacks.threat import NORMS
from tests.analysis.attacks import oracles

KEY = jax.random.key(0)
WEIGHTS = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)


@jax.tree_util.Partial
def two_classes(images):
    score = jnp.tensordot(images, WEIGHTS, 3)
    return jnp.stack([-score, score], 1)


@pytest.mark.parametrize(("norm", "loss"), [("linf", "ce"), ("l2", "ce"), ("l1", "margin")])
def test_reaches_the_worst_point_of_the_ball_and_the_box(norm, loss):
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal(0.5, 0.5, (4, 4, 5, 2)), 0, 1).astype(np.float32)  # many pixels at 0 and 1
    eps = {"linf": 0.3, "l2": 1.5, "l1": 4.0}[norm]
    result = attacks.apgd(two_classes, images, [0] * 4, NORMS[norm](eps), loss, key=KEY)
    gains = np.tensordot(np.asarray(result, np.float64) - images, WEIGHTS, 3)
    best = [oracles.largest_gain(norm, WEIGHTS, image, eps) for image in images]
    assert (gains >= (0.995 if norm == "l1" else 0.9995) * np.array(best)).all(), gains / best
    assert (gains <= np.array(best) * (1 + 1e-5)).all()


def test_checkpoints_are_those_of_the_paper():
    places = np.flatnonzero(_periods(100))
    np.testing.assert_array_equal(places, np.cumsum([22, 19, 16, 13, 10, 7, 6, 6]))
    np.testing.assert_array_equal(_periods(100)[places], [22, 19, 16, 13, 10, 7, 6, 6])
    np.testing.assert_array_equal(np.flatnonzero(_sparse_periods(100))[:3], [4, 8, 12])
    assert not _periods(1).any()


def ridge(images):
    """Logit 1 is largest at 0.53, by less and less."""
    x = images[:, 0, 0, 0]
    return jnp.stack([jnp.zeros_like(x), -1 - jnp.abs(x - 0.53)], 1)


def test_steps_get_shorter_where_long_ones_jump_to_and_fro():
    """Steps of 2ε = 0.6 never come near 0.53; a fixed step of PGD's ends as far off as it is long."""
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    near, far = (
        abs(attack(ridge, image, [0], attacks.Linf(0.3), key=KEY).item() - 0.53)
        for attack in (attacks.apgd, functools.partial(attacks.pgd, steps=100, step_size=0.1))
    )
    assert near < 1e-3 < 5e-3 < far


def four_ways(images):
    """Class k is reached where pixel k alone is bright; class 3 is the least likely, and the only one in reach."""
    x = images[:, 0, 0]
    return jnp.stack(
        [jnp.full(x.shape[0], 0.9), *(0.1 * x[:, k] + 0.5 for k in (0, 1)), 10 * x[:, 2] - 7.5, -x[:, 0]], 1
    )


def test_targeted_ratios_try_other_classes_one_after_the_other():
    images = np.full((3, 1, 1, 3), 0.5, np.float32)
    threat = attacks.Linf(0.4)
    result = attacks.apgd(four_ways, images, [0] * 3, threat, "dlr-targeted", steps=10, key=KEY)
    assert (np.argmax(four_ways(result), 1) == 3).all()
    targets = np.array([3, 3, 3])
    result = attacks.apgd(four_ways, images, [0] * 3, threat, "dlr-targeted", steps=10, targets=targets, key=KEY)
    assert (np.argmax(four_ways(result), 1) == 3).all()


def test_pgd_needs_targets_for_a_targeted_ratio():
    images = np.full((1, 1, 1, 3), 0.5, np.float32)
    with pytest.raises(ValueError, match="loss='dlr-targeted' needs targets: give targets="):
        attacks.pgd(four_ways, images, [0], attacks.Linf(0.1), key=KEY, loss="dlr-targeted")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"key": None}, "the random starts need a key: give key=jax.random.key"),
        ({"steps": 0}, "steps=0: expected a positive integer"),
        ({"restarts": 1.5}, "restarts=1.5: expected a positive integer"),
        ({"threat": "linf"}, "threat='linf': expected a threat model"),
        ({"loss": "dlr"}, "loss='dlr' with 2 classes: expected at least 3 classes"),
    ],
)
def test_bad_settings(settings, message):
    settings = {"threat": attacks.Linf(0.1), "key": KEY} | settings
    with pytest.raises(ValueError, match=message):
        attacks.apgd(two_classes, np.full((1, 4, 5, 2), 0.5, np.float32), [0], **settings)

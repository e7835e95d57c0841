"""Attacks along estimated gradients: NES and finite differences, against closed forms of linear models."""

import dataclasses

import jax
import numpy as np
import pytest

from analysis import attacks
from convzoo.pytrees import register
from tests.analysis.attacks.test_black_box import run
from tests.analysis.attacks.test_square_search import IMAGES, WEIGHTS, far, worst

KEY = jax.random.key(0)
GREY = np.full_like(IMAGES, 0.5)


@pytest.mark.parametrize(("ball", "dual"), [(attacks.Linf, 1), (attacks.L2, 2)])
def test_a_step_of_finite_differences_falls_by_the_dual_norm(ball, dual):
    made = attacks.finite_differences(far, GREY, [0] * 4, ball(0.1), steps=1, step_size=0.1)
    fall = far(GREY)[:, 0] - far(made.images)[:, 0]
    np.testing.assert_allclose(fall, 0.1 * np.linalg.norm(WEIGHTS.ravel(), dual), rtol=1e-3)


def test_differences_at_the_limits_of_the_pixels_are_one_sided():
    images = np.round(IMAGES)
    made = attacks.finite_differences(far, images, [0] * 4, attacks.Linf(0.1), steps=1)
    np.testing.assert_allclose(made.images, np.clip(images - 0.1 * np.sign(WEIGHTS), 0, 1), atol=1e-6)


def test_finite_differences_ask_for_both_sides_of_every_coordinate():
    made = attacks.finite_differences(far, IMAGES, [0] * 4, attacks.Linf(0.1), steps=3)
    assert made.queries.tolist() == [1 + 3 * (2 * 36 + 1)] * 4


@pytest.mark.parametrize(("ball", "eps"), [(attacks.Linf, 0.1), (attacks.L2, 0.5)])
def test_nes_approaches_the_worst_image_of_a_linear_model(ball, eps):
    made = attacks.nes(far, IMAGES, [0] * 4, ball(eps), 1000, KEY)
    assert made.queries.tolist() == [1 + 19 * 51] * 4
    clean = far(IMAGES)[:, 0]
    assert ((clean - far(made.images)[:, 0]) >= 0.85 * (clean - worst(ball, eps))).all()


def test_more_samples_give_a_better_direction():
    falls = []
    for samples in (2, 40, 800):
        made = attacks.nes(far, GREY, [0] * 4, attacks.L2(0.1), samples + 2, KEY, samples=samples, step_size=0.1)
        falls.append((far(GREY)[:, 0] - far(made.images)[:, 0]).mean() / (0.1 * np.linalg.norm(WEIGHTS)))
    assert falls[0] < falls[1] < falls[2]
    assert falls[2] > 0.9


def test_a_flat_function_leaves_the_image():
    def flat(images):
        return np.tile([1.0, 0.0], (len(images), 1))

    for made in (
        attacks.nes(flat, IMAGES, [0] * 4, attacks.Linf(0.1), 120, KEY),
        attacks.finite_differences(flat, IMAGES, [0] * 4, attacks.L2(0.1), steps=1),
    ):
        np.testing.assert_array_equal(made.images, IMAGES)


@pytest.mark.parametrize("name", ["nes", "finite_differences"])
def test_any_threat_will_do(name):
    """A ball of one's own, with its own steepest direction."""

    @register
    @dataclasses.dataclass(frozen=True)
    class Brighter(attacks.Linf):
        def project(self, delta):
            return delta.clip(0, self.eps)

    labels = [0] * 5
    made = run(name, labels=labels, ball=Brighter, eps=0.2).images - run(name, labels=labels, eps=0.0).images
    assert made.min() >= -1e-6
    assert made.max() > 0.05

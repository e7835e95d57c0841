"""The optimum of linear classifiers in a ball and in [0, 1], against a search by brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.attacks import L2, Linf
from analysis.attacks.evaluation.linearized import Linearized, linearized, optimum, shortfall

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(3, 1, 2, 1)).astype(np.float32)
SLOPES = RANDOM.normal(size=(3, 4, 1, 2, 1)).astype(np.float32)
COPY = Linearized(jnp.asarray(IMAGES), jnp.asarray(RANDOM.normal(size=(3, 4)), jnp.float32), jnp.asarray(SLOPES))


@pytest.mark.parametrize(("ball", "order"), [(Linf, np.inf), (L2, 2)])
@pytest.mark.parametrize("eps", [0.05, 0.4, 3.0])
def test_the_closed_form_is_the_best_of_a_fine_grid(ball, order, eps):
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 801)] * 2), -1).reshape(-1, 2)
    logits, slopes = np.asarray(COPY.logits, np.float64), SLOPES.reshape(3, 4, 2).astype(np.float64)
    for row, best in enumerate(optimum(COPY, ball(eps))):
        changed = IMAGES[row].reshape(2) + grid
        allowed = (np.linalg.norm(grid, order, axis=1) <= eps) & ((changed >= 0) & (changed <= 1)).all(1)
        scores = logits[row] + grid[allowed] @ slopes[row].T
        reached = (scores[:, 1:].max(1) - scores[:, 0]).max()
        assert reached <= best + 1e-6
        assert best - reached < 0.02


def test_the_copy_agrees_with_the_classifier_to_first_order():
    def classifier(images):
        return jnp.stack([jnp.sin(images).sum((1, 2, 3)), (images**2).sum((1, 2, 3)), images.sum((1, 2, 3))], 1)

    labels = jnp.array([2, 1, 0])
    copy = linearized(jax.tree_util.Partial(classifier), jnp.asarray(IMAGES), labels)
    np.testing.assert_allclose(copy.logits[:, 0], np.asarray(classifier(IMAGES))[np.arange(3), labels], rtol=1e-6)
    near = jnp.asarray(IMAGES) + 1e-3
    moved = np.sort(np.asarray(copy(near)), 1) - np.sort(np.asarray(classifier(near)), 1)
    assert np.abs(moved).max() < 1e-5


def test_an_attack_that_stays_leaves_all_undone_and_the_best_one_nothing():
    def best(logits_fn, images, labels, threat):
        slopes = COPY.slopes[:, 1:] - COPY.slopes[:, :1]
        change = jnp.clip(threat.eps * jnp.sign(slopes), -images[:, None], 1 - images[:, None])
        margins = COPY.logits[:, 1:] - COPY.logits[:, :1] + (slopes * change).sum((2, 3, 4))
        return images + change[jnp.arange(3), margins.argmax(1)]

    assert shortfall(lambda logits_fn, images, labels, threat: images, COPY, Linf(0.1)) == 1
    assert shortfall(best, COPY, Linf(0.1)) < 1e-5

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train.tasks.position import BINS, Position

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.uniform(size=(3, 21, 2)).astype(np.float32)
GUESSES = (TRUTH + RANDOM.normal(scale=0.1, size=TRUTH.shape)).astype(np.float32)
WEIGHTS = np.array([np.ones(21), np.ones(21), np.arange(21) < 8], np.float32)
TASK = Position((20, 40))


def test_figures_are_distances_in_pixels_of_all_images_that_count():
    total, update = TASK.empty(), jax.jit(TASK.update)
    for batch in zip(GUESSES, TRUTH, WEIGHTS, strict=True):
        total = update(total, *map(jnp.asarray, batch))
    difference = (GUESSES - TRUTH)[WEIGHTS == 1].astype(np.float64)
    distances = np.hypot(difference[:, 0] * 20, difference[:, 1] * 40)
    figures = TASK.summarize(total)
    assert figures["loss"] == pytest.approx((difference**2).sum(1).mean(), rel=1e-5)
    assert figures["error"] == pytest.approx(distances.mean(), rel=1e-5)
    assert figures["median"] == pytest.approx(np.median(distances), abs=np.hypot(20, 40) / BINS)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_median_of_few_images(count):
    guesses = jnp.zeros((count, 2)).at[:, 0].set(jnp.arange(count) / 4)
    total = TASK.update(TASK.empty(), guesses, jnp.zeros((count, 2)), jnp.ones(count))
    assert TASK.summarize(total)["median"] == pytest.approx(np.median(np.arange(count) * 5), abs=0.02)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="expected \\(N, 2\\) twice"):
        TASK.loss(jnp.zeros((4, 2)), jnp.zeros((1, 2)))

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks

IMAGES = np.random.default_rng(0).uniform(size=(5, 4, 4, 2)).astype(np.float32)


class Normalized(nn.Module):
    train: bool
    dtype: type = jnp.float32

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(4, (3, 3), dtype=self.dtype)(images)
        x = nn.BatchNorm(use_running_average=not self.train, dtype=self.dtype)(x)
        return nn.Dense(3, dtype=self.dtype)(nn.relu(x).mean((1, 2)))


@pytest.fixture(scope="module")
def variables():
    return Normalized(train=False).init(jax.random.key(0), IMAGES)


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("train", [False, True])
def test_batch_normalization_in_training_mode_is_told(variables, train, dtype, count):
    @jax.jit
    @jax.numpy_dtype_promotion("standard")  # Flax widens half precision in its statistics
    def logits_fn(images):
        logits, _ = Normalized(train, dtype).apply(variables, images, mutable=["batch_stats"])
        return logits

    assert attacks.depends_on_batch(logits_fn, IMAGES[:count]) == train


def test_functions_that_are_random_are_told():
    random = np.random.default_rng(0)
    assert attacks.depends_on_batch(lambda images: images.sum((1, 2)) + random.normal(size=(len(images), 1)), IMAGES)


def test_the_place_in_the_batch_is_told():
    assert attacks.depends_on_batch(lambda images: images.sum((1, 2)) + np.arange(len(images))[:, None], IMAGES)


def test_the_tolerance_decides():
    def slightly(images):
        return images.mean((1, 2)) + 0.01 * images.mean()

    assert attacks.depends_on_batch(slightly, IMAGES)
    assert not attacks.depends_on_batch(slightly, IMAGES, tolerance=0.05)
    assert not attacks.depends_on_batch(lambda images: 0 * images[:, 0, 0], IMAGES)


@pytest.mark.parametrize(
    ("function", "settings", "message"),
    [
        (lambda images: images.sum((1, 2)), {"tolerance": -1}, "tolerance=-1: expected a number of at least 0"),
        (
            lambda images: images[:1, 0, 0],
            {},
            r"the function gave float32\(1, 2\) for 5 images: expected finite logits",
        ),
        (lambda images: images[:, 0, 0] + np.float32(np.nan), {}, "expected finite logits"),
    ],
)
def test_bad_input(function, settings, message):
    with pytest.raises(ValueError, match=message):
        attacks.depends_on_batch(function, IMAGES, **settings)

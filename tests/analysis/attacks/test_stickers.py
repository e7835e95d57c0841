import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks

KEY = jax.random.key(0)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 4, 2, 3)).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(size=(5, 3, 4, 2)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1])
MASK = np.zeros((3, 4), int)
MASK[:2, 1:] = 1


@jax.tree_util.Partial
def linear(images):
    return jnp.tensordot(images, WEIGHTS, 3)


@jax.tree_util.Partial
def two_classes(images):
    return linear(images)[:, :2]


def bits(images):
    return np.asarray(images).view(np.uint32)


@pytest.mark.parametrize("mask", [MASK, np.random.default_rng(2).random((5, 3, 4)) < 0.5], ids=["shared", "own"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_pixels_outside_the_mask_keep_their_bits(mask, batch_size):
    for images in (IMAGES, np.round(IMAGES)):
        made = attacks.sticker(linear, images, LABELS, mask, steps=3, key=KEY, batch_size=batch_size)
        outside = np.broadcast_to(mask, (5, 3, 4)) == 0
        np.testing.assert_array_equal(bits(made)[outside], bits(images)[outside])
        assert (np.asarray(made)[~outside] != images[~outside]).mean() > 0.3
        assert made.min() >= 0
        assert made.max() <= 1


@pytest.mark.parametrize("targeted", [False, True])
def test_the_worst_sticker_of_a_linear_model_is_found(targeted):
    labels = np.array([0, 1, 0, 1, 1])
    targets = 1 - labels if targeted else None
    made = attacks.sticker(two_classes, IMAGES, labels, MASK, steps=10, key=KEY, targets=targets)
    towards = (WEIGHTS[..., 1] - WEIGHTS[..., 0]) * (1 - 2 * labels)[:, None, None, None]
    np.testing.assert_allclose(made, np.where(MASK[..., None] == 1, towards > 0, IMAGES), atol=1e-6)


def test_an_empty_mask_leaves_the_image():
    made = attacks.sticker(linear, IMAGES, LABELS, np.zeros((3, 4), bool), steps=2, key=KEY)
    np.testing.assert_array_equal(bits(made), bits(IMAGES))


def test_the_key_decides_and_more_restarts_never_lose(logits_fn, images, labels):
    mask = np.indices((6, 8)).sum(0) % 4 == 0

    def run(seed, restarts=1):
        return attacks.sticker(logits_fn, images, labels, mask, 2, 0.05, key=jax.random.key(seed), restarts=restarts)

    first, again, other, often = run(0), run(0), run(1), run(0, 4)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    fooled = [np.argmax(np.asarray(logits_fn(made)), 1) != labels for made in (first, often)]
    assert (fooled[1] >= fooled[0]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mask": np.ones((4, 3))}, r"mask of shape \(4, 3\): expected \(3, 4\), or \(5, 3, 4\)"),
        ({"mask": np.ones((3, 4, 2))}, r"mask of shape \(3, 4, 2\)"),
        ({"mask": np.full((3, 4), 0.5)}, r"mask spans \[0.5, 0.5\]: expected ones"),
        ({"steps": 0}, "steps=0: expected a positive integer"),
        ({"restarts": 0}, "restarts=0: expected a positive integer"),
        ({"step_size": -1}, "step_size=-1: expected a number of at least 0"),
        ({"key": None}, "key=None: expected one key"),
        ({"targets": [0, 1, 3, 0, 0]}, r"targets\[2\] is 3, but there are 3 classes"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        attacks.sticker(linear, IMAGES, LABELS, **({"mask": MASK, "key": KEY} | settings))

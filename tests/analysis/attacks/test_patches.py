import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import attacks, execution, taps

KEY = jax.random.key(0)
BLACK = np.zeros((16, 9, 12, 1), np.float32)


def patch(size=3, channels=1, **views):
    pixels = np.random.default_rng(0).uniform(0.2, 1, (size, size, channels)).astype(np.float32)
    return attacks.Patch(jnp.asarray(pixels), **views)


def test_an_upright_patch_is_shown_whole_at_random_places():
    shown = np.asarray(patch().apply(BLACK, KEY))
    np.testing.assert_allclose(shown.sum((1, 2, 3)), patch().pixels.sum(), rtol=1e-5)
    rows, columns = (np.einsum("nhw,hw->n", shown[..., 0], at) / shown.sum((1, 2, 3)) for at in np.indices((9, 12)))
    assert np.ptp(rows) > 4
    assert np.ptp(columns) > 6


def test_views_turn_and_scale_within_their_range():
    white = attacks.Patch(jnp.ones((4, 4, 1)), degrees=45.0, low=0.5, high=1.5)
    shown = np.asarray(white.apply(BLACK, KEY))
    areas = shown.sum((1, 2, 3))
    assert 3 < areas.min() < 8
    assert 24 < areas.max() < 40
    fixed = np.asarray(attacks.Patch(jnp.ones((4, 4, 1)), low=1.5, high=1.5).apply(BLACK, KEY)).sum((1, 2, 3))
    np.testing.assert_allclose(fixed, 36, rtol=0.1)


def test_a_patch_hides_the_image_below_it_and_nothing_else():
    images = np.random.default_rng(1).uniform(size=(16, 9, 12, 1)).astype(np.float32)
    dark = attacks.Patch(jnp.zeros((5, 5, 1)))
    cover = np.asarray(attacks.Patch(jnp.ones((5, 5, 1))).apply(BLACK, KEY))
    shown = np.asarray(dark.apply(images, KEY))
    np.testing.assert_allclose(shown, images * (1 - cover), atol=1e-6)
    assert ((cover > 0).sum((1, 2, 3)) <= 36).all()


def test_the_place_in_the_call_and_the_key_decide_and_the_others_do_not():
    views = patch(degrees=30.0, low=0.8, high=1.2)
    images = np.random.default_rng(1).uniform(size=(5, 9, 12, 1)).astype(np.float32)
    shown = np.asarray(views.apply(images, KEY, batch_size=2))
    np.testing.assert_array_equal(views.apply(images[:1], KEY, batch_size=2), shown[:1])
    np.testing.assert_allclose(views.apply(images, KEY), shown, atol=1e-6)
    assert (np.asarray(views.apply(images, jax.random.key(1))) != shown).any()
    same = np.asarray(views.apply(np.repeat(images[:1], 3, 0), KEY))
    assert (same[0] != same[1]).any()


def test_a_patch_is_a_pytree_and_differentiable():
    views = patch(degrees=10.0)
    assert jax.tree.leaves(views) == [views.pixels, 10.0, 1.0, 1.0]
    gradient = jax.jit(jax.grad(lambda views: views.apply(BLACK, KEY)[..., 0].sum()))(views)
    np.testing.assert_allclose(gradient.pixels, len(BLACK), rtol=0.3)
    assert np.isfinite(gradient.degrees)


@pytest.mark.slow
def test_it_works_on_images_and_places_that_it_was_not_trained_on(digits, digits_net, fitted):
    """A small network for digits of eight by eight pixels: two fifths of each image are the patch."""
    logits_fn = taps.logits_fn(digits_net, fitted("train", 0, 600))
    images, target = digits.train[0][digits.train[1] != 9], 9
    made = attacks.adversarial_patch(
        logits_fn, images, target, 5, jax.random.key(1), 200, 0.1, degrees=15.0, batch_size=64
    )
    others = digits.images[:300][digits.labels[:300] != target]

    def share(views):
        logits = execution.call(logits_fn, views.apply(others, jax.random.key(2)))
        return float((jnp.argmax(logits, 1) == target).mean())

    noise = attacks.Patch(jax.random.uniform(KEY, (5, 5, 1)), made.degrees, made.low, made.high)
    assert share(made) > 0.6
    assert share(noise) < 0.1


@jax.tree_util.Partial
def linear(images):
    """Two classes, between which it is undecided on grey."""
    return (images - 0.5).sum((1, 2)) @ jnp.array([[0.1, -0.1]])


@pytest.mark.parametrize("batch_size", [None, 3])
def test_training_finds_the_optimum_of_a_linear_model_for_one_key(batch_size):
    images = np.full((4, 6, 6, 1), 0.5, np.float32)
    first, again, other = (
        attacks.adversarial_patch(linear, images, 1, 2, jax.random.key(seed), 40, batch_size=batch_size)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert other.pixels.max() <= 0.05
    assert first.pixels.min() >= 0
    bright = attacks.adversarial_patch(linear, images, 0, 2, KEY, 40, batch_size=batch_size)
    assert bright.pixels.min() >= 0.95
    assert bright.pixels.max() <= 1


def test_one_step_depends_on_the_key():
    images = np.full((4, 6, 6, 1), 0.5, np.float32)
    one, two = (attacks.adversarial_patch(linear, images, 1, 2, jax.random.key(s), 1).pixels for s in (0, 1))
    assert (one != two).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 2}, "target=2: expected an integer from 0 to 1"),
        ({"size": 7}, r"a patch of shape \(7, 7, 1\) on images of shape \(6, 6, 1\): expected.*a side of at most 6"),
        ({"size": 0}, "size=0: expected a positive integer"),
        ({"steps": 0}, "steps=0: expected a positive integer"),
        ({"key": None}, "key=None: expected one key"),
        ({"degrees": -1}, "degrees=-1: expected a number of at least 0"),
        ({"low": 2.0}, "high=1.2: expected a number of at least 2"),
        ({"learning_rate": 0}, "learning_rate=0: expected a number above 0"),
        ({"batch_size": 0}, "batch_size=0: expected a positive integer"),
    ],
)
def test_bad_settings(settings, message):
    images = np.full((4, 6, 6, 1), 0.5, np.float32)
    with pytest.raises(ValueError, match=message):
        attacks.adversarial_patch(linear, images, **({"target": 1, "size": 2, "key": KEY} | settings))


def test_a_patch_needs_images_of_its_channels():
    with pytest.raises(ValueError, match=r"a patch of shape \(3, 3, 3\) on images of shape \(9, 12, 1\)"):
        patch(channels=3).apply(BLACK, KEY)

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis
from analysis import metrics

KEY = jax.random.key(0)


def dot(weights, images):
    return images.reshape(images.shape[0], -1) @ weights


@pytest.fixture(scope="module")
def weights(images):
    return np.random.default_rng(5).normal(size=(images[0].size, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def linear(weights):
    return jax.tree_util.Partial(dot, jnp.asarray(weights))


@pytest.fixture(scope="module")
def gradients(weights, labels, images):
    return weights.T[labels].reshape(images.shape)


def test_products_with_the_gradient_are_complete_for_a_linear_function(linear, images, labels, gradients):
    for baseline in (0.0, 0.25, 1 - images):
        maps = ((images - np.float32(baseline)) * gradients).sum(-1)
        np.testing.assert_allclose(metrics.completeness(linear, images, labels, maps, baseline), 0, atol=1e-4)
        wrong = metrics.completeness(linear, images, labels, maps + np.float32(0.5), baseline, batch_size=2)
        np.testing.assert_allclose(wrong, 0.5 * maps[0].size, rtol=1e-4)


def test_the_gradient_of_a_linear_function_is_faithful(linear, images, labels, gradients):
    exact = metrics.infidelity(linear, images, labels, gradients, KEY)
    np.testing.assert_allclose(exact, 0, atol=1e-8)
    grey = metrics.infidelity(linear, images, labels, gradients.sum(-1), KEY)
    np.testing.assert_allclose(grey, 0, atol=1e-8)


def test_infidelity_of_a_wrong_map_is_its_error_times_the_noise(linear, images, labels, gradients):
    error = np.random.default_rng(6).normal(size=images.shape).astype(np.float32)
    measured = metrics.infidelity(linear, images, labels, gradients + error, KEY, sigma=0.2, samples=4000)
    # Squares of a normal variable: four standard errors of their mean; the key decides the draw, not the machine.
    np.testing.assert_allclose(measured, 0.2**2 * (error**2).sum((1, 2, 3)), rtol=4 * np.sqrt(2 / 4000))


def test_the_best_factor_makes_units_irrelevant(linear, logits_fn, images, labels, gradients):
    score = functools.partial(metrics.infidelity, images=images, labels=labels, key=KEY, rescale=True)
    np.testing.assert_allclose(score(linear, maps=-7 * gradients), 0, atol=1e-8)
    maps = np.asarray(analysis.saliency(logits_fn, images, labels, channels="sum"))
    np.testing.assert_allclose(score(logits_fn, maps=3 * maps), score(logits_fn, maps=maps), rtol=1e-3, atol=1e-7)
    nothing = score(logits_fn, maps=np.zeros_like(maps))
    assert (score(logits_fn, maps=maps) < 0.5 * nothing).all()


@pytest.mark.optimized
def test_infidelity_is_an_image_s_own(logits_fn, images, labels):
    maps = np.random.default_rng(7).normal(size=images.shape[:3]).astype(np.float32)
    score = functools.partial(metrics.infidelity, logits_fn, key=KEY, samples=3)
    whole = score(images, labels, maps, batch_size=4)
    np.testing.assert_array_equal(score(images[:2], labels[:2], maps[:2], batch_size=4), whole[:2])


def test_infidelity_depends_on_the_key_and_not_on_batches(logits_fn, images, labels):
    maps = np.random.default_rng(7).normal(size=images.shape[:3]).astype(np.float32)
    score = functools.partial(metrics.infidelity, logits_fn, images, labels, maps, samples=3)
    whole = score(KEY, batch_size=None)
    np.testing.assert_allclose(score(KEY, batch_size=4), whole, rtol=1e-4)
    assert (score(jax.random.key(1)) != whole).all()


def test_sensitivity_of_known_maps(images, labels):
    constant = lambda images, labels: jnp.ones(images.shape[:3])  # noqa: E731
    image = lambda images, labels: images[..., 0]  # noqa: E731
    np.testing.assert_array_equal(metrics.sensitivity(constant, images, labels, KEY), np.zeros(5))
    grey = np.full((3, 20, 20, 1), 0.5, np.float32)
    measured = metrics.sensitivity(image, grey, [0] * 3, KEY, radius=0.1, samples=20)
    # A uniform change in ±0.1 is 0.1/√3 long a pixel, in maps of 0.5 a pixel; the largest of 20 is a little longer.
    assert (measured > 0.1 / np.sqrt(3) / 0.5).all()
    assert (measured < 1.1 * 0.1 / np.sqrt(3) / 0.5).all()
    wider = metrics.sensitivity(image, grey, [0] * 3, KEY, radius=0.2, samples=20)
    np.testing.assert_allclose(wider, 2 * measured, rtol=1e-4)


def test_sensitivity_of_maps_that_vanish():
    step = lambda images, labels: (images[..., 0] > 0.5).astype(jnp.float32)  # noqa: E731
    images = np.array([0.5, 0.2], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_array_equal(metrics.sensitivity(step, images, [0, 0], KEY, samples=20), [np.inf, 0])


def test_bad_input_is_refused(logits_fn, images, labels):
    maps = np.zeros(images.shape[:3])
    method = functools.partial(analysis.saliency, logits_fn)
    for call, message in (
        (lambda: metrics.completeness(logits_fn, images, labels, maps[:, :2]), "maps of shape"),
        (lambda: metrics.completeness(logits_fn, images, labels, maps, baseline="black"), "baseline='black'"),
        (lambda: metrics.completeness(logits_fn, images, labels + 9, maps), "there are 3 classes"),
        (lambda: metrics.infidelity(logits_fn, images, labels, maps[..., None], KEY), "maps of shape"),
        (lambda: metrics.infidelity(logits_fn, images, labels, maps, None), "key=None: expected one key"),
        (lambda: metrics.infidelity(logits_fn, images, labels, maps, KEY, sigma=0), "sigma=0"),
        (lambda: metrics.infidelity(logits_fn, images, labels, maps, KEY, samples=0), "samples=0"),
        (lambda: metrics.sensitivity(method, images, labels, 3), "key=3: expected one key"),
        (lambda: metrics.sensitivity(method, images, labels, KEY, radius=-1), "radius=-1"),
        (lambda: metrics.sensitivity(method, images, labels, KEY, samples=1.5), "samples=1.5"),
    ):
        with pytest.raises(ValueError, match=message):
            call()

import jax
import numpy as np
import pytest

import analysis

KEY = jax.random.key(5)


def test_without_noise_it_is_saliency(logits_fn, images, labels):
    for channels in ("max", "sum", None):
        given = analysis.smoothgrad(logits_fn, images, labels, KEY, samples=3, sigma=0, channels=channels)
        np.testing.assert_allclose(given, analysis.saliency(logits_fn, images, labels, channels), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("average", "reduce"), [("signed", lambda g: g), ("absolute", np.abs), ("square", np.square)])
def test_is_the_mean_over_the_noise_given(logits_fn, images, labels, average, reduce):
    noise = 0.2 * np.random.default_rng(3).normal(size=(4, *images.shape)).astype(np.float32)
    unlimited = jax.jit(lambda x: analysis.saliency(logits_fn, x, labels, channels=None))
    expected = np.mean([reduce(np.asarray(unlimited(images + one))) for one in noise], 0)
    given = analysis.smoothgrad(logits_fn, images, labels, noise=noise, average=average, channels=None, batch_size=3)
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_noise_that_is_not_finite_is_refused(logits_fn, images, labels, value):
    noise = np.zeros((2, *images.shape), np.float32)
    noise[1, 0, 0, 0, 0] = value
    with pytest.raises(ValueError, match="noise holds NaN or infinity"):
        analysis.smoothgrad(logits_fn, images, labels, noise=noise)


def test_the_noise_that_is_drawn():
    """The gradient of x²/2 is x, so that the maps of one sample are the noise."""
    half_square = lambda x: (x**2 / 2).sum((1, 2, 3))[:, None]  # noqa: E731
    images = np.full((2, 40, 50, 3), 0.25, np.float32)
    images[:, 0, 0] = 0.75
    labels = [0, 0]
    settings = {"sigma": 0.2, "channels": None}
    one = np.asarray(analysis.smoothgrad(half_square, images, labels, KEY, samples=1, **settings)) - images
    assert one.std() == pytest.approx(0.2, rel=0.02)
    assert abs(one.mean()) < 0.01
    assert np.abs(one[0] - one[1]).min(-1).max() > 0.1, "another example, another noise"
    own = np.asarray(analysis.smoothgrad(half_square, images, labels, KEY, samples=1, relative=True, **settings))
    np.testing.assert_allclose(own - images, one / 2, atol=1e-6)
    many = np.asarray(analysis.smoothgrad(half_square, images, labels, KEY, samples=16, **settings)) - images
    assert many.std() == pytest.approx(0.05, rel=0.05), "samples are independent"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "smoothgrad draws noise from key=.* or takes noise="),
        ({"key": KEY, "noise": np.zeros((1, 5, 6, 8, 2))}, "give one of them"),
        ({"noise": np.zeros((5, 6, 8, 2))}, r"noise of shape \(5, 6, 8, 2\): expected \(samples, N, H, W, C\)"),
        ({"key": 0}, r"key=0: expected one key, such as jax.random.key\(0\)"),
        ({"key": jax.random.split(KEY)}, "expected one key"),
        ({"key": KEY, "samples": 0}, "samples=0: expected a positive integer"),
        ({"key": KEY, "sigma": -0.1}, "sigma=-0.1: expected a number of at least 0"),
        ({"key": KEY, "average": "mean"}, "average='mean' is unknown"),
    ],
)
def test_bad_settings(logits_fn, images, labels, settings, message):
    with pytest.raises(ValueError, match=message):
        analysis.smoothgrad(logits_fn, images, labels, **settings)

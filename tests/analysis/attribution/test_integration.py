import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(3, 4, 2, 5)).astype(np.float32)
IMAGES = RNG.uniform(size=(3, 3, 4, 2)).astype(np.float32)
LABELS = np.array([3, 0, 1])
LINEAR = jax.tree_util.Partial(lambda weights, images: jnp.tensordot(images, weights, 3), WEIGHTS)
GRADIENTS = np.moveaxis(WEIGHTS, -1, 0)[LABELS]


@pytest.mark.parametrize("quadrature", ["gauss_legendre", "midpoint"])
@pytest.mark.parametrize(("baseline", "black"), [(None, 0.0), (0.25, 0.25), (np.float32([0.5, 1.0]), [0.5, 1.0])])
def test_of_a_linear_model_are_its_weights_times_the_way(baseline, black, quadrature):
    given = analysis.integrated_gradients(
        LINEAR, IMAGES, LABELS, steps=3, baseline=baseline, channels=None, quadrature=quadrature
    )
    np.testing.assert_allclose(given, (IMAGES - np.float32(black)) * GRADIENTS, rtol=1e-5, atol=1e-6)


def test_input_times_gradient_of_a_linear_model():
    expected = (IMAGES * GRADIENTS).sum(-1)
    np.testing.assert_allclose(analysis.input_times_gradient(LINEAR, IMAGES, LABELS), expected, rtol=1e-5, atol=1e-6)
    default = analysis.integrated_gradients(LINEAR, IMAGES, LABELS, steps=2)
    np.testing.assert_allclose(default, expected, rtol=1e-5, atol=1e-6)


def test_points_of_the_quadratures():
    """The integral of 5α⁴ from 0 to 1: three nodes of Gauss and Legendre are exact, midpoints are not."""
    fifth = lambda images: images[:, 0, 0] ** 5  # noqa: E731
    one = np.ones((1, 1, 1, 1), np.float32)
    heat = lambda **settings: float(analysis.integrated_gradients(fifth, one, [0], steps=3, **settings).item())  # noqa: E731
    assert abs(heat() - 1) < 1e-6
    assert heat(quadrature="midpoint") == pytest.approx(5 / 3 * sum(((i + 0.5) / 3) ** 4 for i in range(3)), rel=1e-6)


def test_completeness(logits_fn, images, labels):
    """Maps add up to the difference of scores, the better the more steps."""
    baseline = np.full_like(images, 0.3)
    rows = np.arange(len(labels))
    gained = np.asarray(logits_fn(images) - logits_fn(baseline))[rows, labels]
    errors = [
        np.abs(
            np.asarray(analysis.integrated_gradients(logits_fn, images, labels, steps, baseline)).sum((1, 2)) - gained
        ).max()
        for steps in (1, 100)
    ]
    assert errors[1] < 2e-3 * np.abs(gained).max() < errors[0]


def test_chunks_do_not_matter(logits_fn, images, labels):
    whole = analysis.integrated_gradients(logits_fn, images, labels, steps=7, batch_size=None)
    for batch_size in (1, 3, 16):
        given = analysis.integrated_gradients(logits_fn, images, labels, steps=7, batch_size=batch_size)
        np.testing.assert_allclose(given, whole, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps=0: expected a positive integer"),
        ({"steps": 2.5}, "steps=2.5: expected a positive integer"),
        ({"baseline": np.zeros((4, 4, 2))}, r"baseline of shape \(4, 4, 2\): expected a number, or what broadcasts"),
        ({"baseline": np.nan}, "baseline holds NaN"),
        ({"baseline": "black"}, "baseline='black': expected a number, or an array"),
        ({"quadrature": "trapezoid"}, "quadrature='trapezoid' is unknown"),
        ({"channels": "mean"}, "channels='mean' is unknown"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        analysis.integrated_gradients(LINEAR, IMAGES, LABELS, **settings)

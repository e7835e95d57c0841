import jax
import jax.numpy as jnp
import numpy as np
import pytest

import analysis

WEIGHTS = np.random.default_rng(0).normal(size=(3, 4, 2, 5)).astype(np.float32)
IMAGES = np.random.default_rng(1).uniform(size=(2, 3, 4, 2)).astype(np.float32)
LABELS = np.array([3, 0])
LINEAR = jax.tree_util.Partial(lambda weights, images: jnp.tensordot(images, weights, 3), WEIGHTS)
GRADIENTS = np.moveaxis(WEIGHTS, -1, 0)[LABELS]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [("max", np.abs(GRADIENTS).max(-1)), ("sum", GRADIENTS.sum(-1)), (None, GRADIENTS)],
)
def test_of_a_linear_model_is_its_weights(channels, expected):
    np.testing.assert_allclose(analysis.saliency(LINEAR, IMAGES, LABELS, channels=channels), expected, rtol=1e-6)


def test_default_is_the_largest_channel():
    np.testing.assert_array_equal(
        analysis.saliency(LINEAR, IMAGES, LABELS), analysis.saliency(LINEAR, IMAGES, LABELS, channels="max")
    )


def test_probability_has_the_gradient_of_the_softmax():
    logits = np.tensordot(IMAGES.astype(np.float64), WEIGHTS, 3)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    mean = np.einsum("nk,hwck->nhwc", p, WEIGHTS)
    expected = p[np.arange(2), LABELS][:, None, None, None] * (GRADIENTS - mean)
    given = analysis.saliency(LINEAR, IMAGES, LABELS, channels=None, score="probability")
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-7)


def test_score_may_be_a_function():
    given = analysis.saliency(LINEAR, IMAGES, LABELS, channels=None, score=lambda logits, labels: logits.sum(1))
    np.testing.assert_allclose(given, np.stack([WEIGHTS.sum(-1)] * 2), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": "maximum"}, "channels='maximum' is unknown.*'max', 'sum' or None"),
        ({"score": "logits"}, "score='logits' is unknown, did you mean logit?"),
    ],
)
def test_unknown_choices(settings, message):
    with pytest.raises(ValueError, match=message):
        analysis.saliency(LINEAR, IMAGES, LABELS, **settings)

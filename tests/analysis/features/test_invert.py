import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.features.invert import inversion_by_depth, invert
from analysis.features.parametrizations import Pixels
from analysis.features.prior import Denoiser, DenoisingPrior, Lesson, learn_denoiser
from analysis.features.regularizers import AlphaNorm, TotalVariation

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def mixing():
    """An invertible layer: a rotation of the two channels, and a layer after it that keeps only their sum."""

    class Mixing(nn.Module):
        @nn.compact
        def __call__(self, images):
            return nn.Conv(1, (1, 1), use_bias=False, name="sum")(
                nn.Conv(2, (1, 1), use_bias=False, name="mix")(images)
            )

    rotation = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    total = rotation.T @ np.ones((2, 1), np.float32)
    kernels = {"mix": rotation, "sum": total}
    return Mixing(), {"params": {name: {"kernel": jnp.asarray(k)[None, None]} for name, k in kernels.items()}}


def test_an_invertible_layer_gives_the_image_back(mixing, images):
    found = invert(*mixing, images, "mix", regularizers=(), key=KEY)
    np.testing.assert_allclose(found.images, images, atol=2e-3)
    assert found.feature_error.max() < 2e-3
    assert found.pixel_error.max() < 2e-3
    assert found.detail.min() > 0.999
    assert found.history.shape == (5, 400)
    assert (found.history[:, -1] < 1e-5).all()


def test_what_a_layer_does_not_see_is_lost(mixing, images):
    found = invert(*mixing, images, "sum", regularizers=(), parametrization=Pixels(noise=0.0), key=KEY)
    assert found.feature_error.max() < 2e-3
    # From gray both channels move alike: each ends at their mean.
    mean = np.broadcast_to(images.mean(-1, keepdims=True), images.shape)
    np.testing.assert_allclose(found.images, mean, atol=5e-3)
    np.testing.assert_allclose(found.pixel_error, np.sqrt(((images - mean) ** 2).mean((1, 2, 3))), atol=5e-3)
    assert (found.detail < 0.95).all()


def test_regularizers_take_what_features_leave_free(mixing, images):
    plain = invert(*mixing, images, "mix", regularizers=(), steps=100, key=KEY)
    smooth = invert(*mixing, images, "mix", regularizers=(TotalVariation(10.0, 1.0),), steps=100, key=KEY)
    grayer = invert(*mixing, images, "mix", regularizers=(AlphaNorm(10.0, 2.0),), steps=100, key=KEY)
    variation = TotalVariation(1.0, 1.0)
    assert (variation(smooth.images) < 0.5 * variation(plain.images)).all()
    assert abs(grayer.images - 0.5).mean() < 0.5 * abs(plain.images - 0.5).mean()


def test_any_function_is_a_regularizer(mixing, images):
    def dark(images):
        return 100 * images.mean((1, 2, 3))

    found = invert(*mixing, images, "mix", regularizers=[dark], steps=60, key=KEY)
    assert found.images.mean() < 0.1


def test_others_do_not_matter(small, variables, images):
    found = invert(small(), variables, images[:3], "stage1", steps=3, batch_size=2, key=KEY)
    alone = invert(small(), variables, images[:1], "stage1", steps=3, batch_size=2, key=KEY)
    for whole, part in zip(found, alone, strict=True):
        np.testing.assert_array_equal(whole[:1], part)
    start = invert(small(), variables, images[:2], "stage1", steps=1, start=images[:2], key=KEY)
    np.testing.assert_allclose(start.history[:, 0], 0, atol=1e-10)


def test_silent_layers_give_finite_errors(mixing):
    found = invert(*mixing, np.zeros((5, 6, 8, 2), np.float32), "mix", regularizers=(), steps=3, key=KEY)
    assert all(np.isfinite(part).all() for part in found)


REFUSED = {
    "layer": ({"layer": "stage"}, "no layer 'stage', did you mean stage"),
    "start": ({"start": np.zeros((1, 6, 8, 2), np.float32)}, r"start of shape \(1, 6, 8, 2\)"),
    "nan": ({"images": np.full((1, 6, 8, 2), np.nan, np.float32)}, "NaN"),
    "range": ({"images": np.full((1, 6, 8, 2), -1.0, np.float32)}, r"expected \[0, 1\]"),
    "regularizer": ({"regularizers": (3.0,)}, "expected a sequence of functions"),
    "key": ({"key": 0}, "key=0: expected one key"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(small, variables, images, case):
    changes, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        invert(small(), variables, **{"images": images, "layer": "stage1", "key": KEY} | changes)


@pytest.fixture(scope="module")
def stripes():
    """Rows of one value each."""
    rows = np.random.default_rng(0).uniform(0.2, 0.8, (24, 8, 1, 1)).astype(np.float32)
    return np.broadcast_to(rows, (24, 8, 8, 1)).copy()


@pytest.mark.slow
def test_a_learned_prior_knows_its_images(stripes):
    denoise = learn_denoiser(stripes, KEY, steps=200, denoiser=Denoiser(features=8, depth=3), lesson=Lesson(0.2, 8))
    noise = 0.1 * jax.random.normal(KEY, stripes.shape)
    before, after = (float(((shown - stripes) ** 2).mean()) for shown in (stripes + noise, denoise(stripes + noise)))
    assert after < 0.5 * before
    again = learn_denoiser(stripes, KEY, steps=200, denoiser=Denoiser(features=8, depth=3), lesson=Lesson(0.2, 8))
    np.testing.assert_array_equal(again(noise), denoise(noise))
    prior = DenoisingPrior(1.0, denoise)
    turned = stripes.transpose(0, 2, 1, 3)

    def size(images):
        return float(abs(jax.grad(lambda x: prior(x).sum())(jnp.asarray(images))).mean())

    assert size(stripes) < 0.7 * size(turned)


def test_the_gradient_of_a_prior_is_what_the_denoiser_takes_away():
    shift = jax.tree_util.Partial(lambda scale, images: scale * images, jnp.float32(0.25))
    images = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (2, 3, 3, 1)), jnp.float32)
    gradient = jax.grad(lambda images: DenoisingPrior(2.0, shift)(images).sum())(images)
    np.testing.assert_allclose(gradient, 2 * 0.75 * images / 9, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"lesson": Lesson(noise=0.0)}, "noise=0.0"),
        ({"lesson": Lesson(batch_size=0)}, "batch_size=0"),
        ({"denoiser": nn.Dense(2)}, r"the denoiser gives float32\(1, 8, 8, 2\)"),
    ],
)
def test_lessons_that_cannot_be_taught_are_refused(stripes, changes, message):
    with pytest.raises(ValueError, match=message):
        learn_denoiser(stripes, KEY, **changes)


def test_every_child_is_inverted_in_order(small, variables, images):
    found = inversion_by_depth(small(), variables, images[:2], steps=2, key=KEY)
    assert [*found] == ["stage1", "stage2", "head"]
    assert all(one.images.shape == (2, 6, 8, 2) for one in found.values())
    chosen = inversion_by_depth(small(), variables, images[:2], layers=["head"], steps=2, key=KEY)
    np.testing.assert_array_equal(chosen["head"].images, found["head"].images)

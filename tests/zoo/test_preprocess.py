"""Normalization and resizing of images."""

import jax.numpy as jnp
import numpy as np
import pytest

import zoo


def test_normalizes_by_channel():
    images = np.random.default_rng(0).random((2, 4, 4, 3), np.float32)
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    np.testing.assert_allclose(
        zoo.Preprocess(mean, std)(images), (images - np.float32(mean)) / np.float32(std), rtol=1e-6
    )


def test_keeps_the_type_of_the_images():
    assert zoo.Preprocess((0.5,), (0.5,))(jnp.ones((1, 2, 2, 3), jnp.bfloat16)).dtype == jnp.bfloat16


def test_resizes_only_when_asked():
    images = jnp.ones((1, 6, 8, 1))
    assert zoo.Preprocess().resize(images).shape == (1, 6, 8, 1)
    assert zoo.Preprocess(size=4).resize(images).shape == (1, 4, 4, 1)


def test_equal_settings_are_equal():
    assert zoo.Preprocess((0.5,), (0.5,)) == zoo.Preprocess((0.5,), (0.5,))
    assert hash(zoo.Preprocess((0.5,), (0.5,))) == hash(zoo.Preprocess((0.5,), (0.5,)))


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.0,)), ((0.5, 0.5), (1.0,)), ((), ())])
def test_refuses_settings_that_cannot_normalize(mean, std):
    with pytest.raises(ValueError, match="std="):
        zoo.Preprocess(mean, std)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": (np.nan,)}, "mean=.*finite"),
        ({"mean": (np.inf,)}, "mean=.*finite"),
        ({"std": (np.nan,)}, "std=.*finite"),
        ({"std": (np.inf,)}, "std=.*finite"),
        ({"size": -4}, "size=-4: expected a positive integer"),
        ({"size": 0}, "size=0: expected a positive integer"),
        ({"size": np.nan}, "size=nan: expected a positive integer"),
        ({"shorter_side": -1}, "shorter_side=-1: expected a positive integer"),
    ],
)
def test_refuses_numbers_that_are_none(changes, message):
    with pytest.raises(ValueError, match=message):
        zoo.Preprocess(**changes)


def test_a_single_image_is_no_batch():
    function = zoo.logits_fn(zoo.create("mlp"), {}, zoo.Preprocess())
    with pytest.raises(ValueError, match=r"\(28, 28, 1\): expected \(N, H, W, C\)"):
        function(jnp.zeros((28, 28, 1)))


def test_refuses_images_of_other_channels():
    with pytest.raises(ValueError, match="3 channels"):
        zoo.Preprocess((0.5,) * 3, (1.0,) * 3)(jnp.ones((1, 4, 4, 1)))


def test_keeps_proportions_and_crops_the_centre():
    """A ramp along an axis stays a ramp: what is cut off on both sides shows in its ends."""
    across = jnp.broadcast_to(jnp.linspace(0, 1, 80)[None, None, :, None], (1, 40, 80, 3))
    found = zoo.Preprocess((0.0,), (1.0,), 16, shorter_side=20).resize(across)
    assert found.shape == (1, 16, 16, 3)
    assert float(found[0, 0, 0, 0] + found[0, 0, -1, 0]) == pytest.approx(1, abs=1e-5)
    assert float(found[0, 0, -1, 0] - found[0, 0, 0, 0]) == pytest.approx(15 * 2 / 79, abs=1e-5)
    np.testing.assert_allclose(found[0, 0], found[0, -1], atol=1e-6)


def test_without_a_size_only_the_shorter_side_is_fixed():
    assert zoo.Preprocess(shorter_side=10).resize(jnp.ones((1, 31, 20, 1))).shape == (1, 15, 10, 1)


def test_refuses_a_crop_larger_than_the_image():
    with pytest.raises(ValueError, match="shorter_side=10 leaves no 12 pixels"):
        zoo.Preprocess(size=12, shorter_side=10)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool])
def test_refuses_bytes(dtype):
    """A standard deviation of a quarter is 0 among bytes: the quotient was infinite."""
    with pytest.raises(ValueError, match=f"images of type {np.dtype(dtype)}: .*divide bytes by 255"):
        zoo.Preprocess((0.5,), (0.25,))(np.ones((1, 2, 2, 3), dtype))


def test_a_long_picture_is_not_made_longer_before_its_centre_is_cropped():
    """Its shorter side at 256 pixels, it had a matrix of 20 GB; only the square that stays is computed."""
    long = np.linspace(0, 1, 20_000, dtype=np.float32).reshape(1, -1, 1, 1).repeat(20, 2)
    crop = zoo.Preprocess(size=224, shorter_side=256).resize(long)
    assert crop.shape == (1, 224, 224, 1)
    np.testing.assert_allclose(crop[0, [0, -1], 0, 0], 0.5 + np.array([-8.7, 8.7]) / 20_000, atol=5e-5)

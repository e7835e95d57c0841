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


def test_refuses_images_of_other_channels():
    with pytest.raises(ValueError, match="3 channels"):
        zoo.Preprocess((0.5,) * 3, (1.0,) * 3)(jnp.ones((1, 4, 4, 1)))

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from analysis.features.transforms import Jitter, Rotate, Scale, apply, resample, robust

IMAGE = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (6, 7, 2)), jnp.float32)
KEYS = jax.random.split(jax.random.key(0), 24)


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_jitter_is_a_crop_of_the_padded_image_and_reaches_every_place(pixels):
    before = pixels // 2
    padded = np.pad(IMAGE, ((before, pixels - before), (before, pixels - before), (0, 0)), constant_values=0.5)
    crops = {
        padded[top : top + 6, left : left + 7].tobytes(): (top, left)
        for top in range(pixels + 1)
        for left in range(pixels + 1)
    }
    seen = {crops[np.asarray(jitter).tobytes()] for jitter in jax.vmap(Jitter(pixels), (0, None))(KEYS, IMAGE)}
    assert {top for top, _ in seen} == {left for _, left in seen} == {*range(pixels + 1)}


def test_resample_is_the_identity_turns_mirrors_and_fills():
    np.testing.assert_array_equal(resample(IMAGE, jnp.eye(2)), IMAGE)
    np.testing.assert_array_equal(resample(IMAGE, -jnp.eye(2)), IMAGE[::-1, ::-1])
    square = IMAGE[:6, :6]
    np.testing.assert_allclose(resample(square, jnp.array([[0.0, -1.0], [1.0, 0.0]])), jnp.rot90(square, -1), atol=1e-6)
    half = resample(jnp.ones((4, 4, 1)), 2 * jnp.eye(2), fill=0.25)[..., 0]
    np.testing.assert_array_equal(half[1:3, 1:3], 1)
    np.testing.assert_array_equal(half[0], 0.25)


def test_an_enlarged_gradient_is_flatter_by_the_factor():
    ramp = jnp.broadcast_to(jnp.arange(9.0)[:, None, None] / 8, (9, 9, 1))
    shown = Scale(2.0, 2.0)(jax.random.key(0), ramp)[..., 0]
    np.testing.assert_allclose(np.diff(shown, axis=0), 1 / 16, atol=1e-6)


def test_rotations_stay_within_their_angle():
    ramp = jnp.broadcast_to(jnp.arange(9.0)[:, None, None] / 8, (9, 9, 1))
    shown = jax.vmap(Rotate(30.0), (0, None))(KEYS, ramp)[..., 0]
    slope = shown[:, 5, 4] - shown[:, 3, 4], shown[:, 4, 5] - shown[:, 4, 3]
    angles = np.degrees(np.arctan2(slope[1], slope[0]))
    assert abs(angles).max() <= 30.01
    assert angles.min() < -15
    assert angles.max() > 15


@pytest.mark.parametrize("transform", [Jitter(3), Rotate(20.0), Scale(0.8, 1.2)])
def test_transforms_are_linear_in_the_image_and_differentiable(transform):
    check_grads(
        lambda image: transform(jax.random.key(1), image), (IMAGE,), order=1, modes=["rev"], atol=1e-2, rtol=1e-2
    )
    assert transform(jax.random.key(1), IMAGE.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_each_image_has_its_own_view_whoever_else_is_there():
    images = jnp.stack([IMAGE, IMAGE, IMAGE])
    views = apply(robust(6, 7), KEYS[:3], images)
    assert not np.array_equal(views[0], views[1])
    np.testing.assert_array_equal(apply(robust(6, 7), KEYS[1:2], images[:1])[0], views[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jitter(0), "pixels=0"),
        (lambda: Scale(1.1, 0.9), "0 < low"),
        (lambda: apply((lambda key, image: image[1:],), KEYS[:1], IMAGE[None]), r"gave float32\(1, 5, 7, 2\)"),
    ],
)
def test_what_is_no_transform_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

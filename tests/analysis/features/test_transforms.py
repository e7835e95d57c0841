import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.features.transforms import Jitter, Rotate, Scale, apply, resample, robust

IMAGE = np.random.default_rng(0).uniform(0, 1, (6, 7, 2)).astype(np.float32)
RAMP = np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None] / 8, (9, 9, 1))
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
    views = np.asarray(jax.jit(jax.vmap(Jitter(pixels), (0, None)))(KEYS, IMAGE))
    seen = {crops[view.tobytes()] for view in views}
    assert {top for top, _ in seen} == {left for _, left in seen} == {*range(pixels + 1)}


def test_resample_is_the_identity_turns_mirrors_and_fills():
    sampled, eye = jax.jit(resample), np.eye(2, dtype=np.float32)
    np.testing.assert_array_equal(sampled(IMAGE, eye), IMAGE)
    np.testing.assert_array_equal(sampled(IMAGE, -eye), IMAGE[::-1, ::-1])
    square = IMAGE[:6, :6]
    turned = sampled(square, np.float32([[0, -1], [1, 0]]))
    np.testing.assert_allclose(turned, np.rot90(square, -1), atol=1e-6)
    half = np.asarray(jax.jit(functools.partial(resample, fill=0.25))(np.ones_like(square), 2 * eye))
    np.testing.assert_array_equal(half[2:4, 2:4], 1)
    np.testing.assert_array_equal(half[:1], 0.25)


def test_an_enlarged_gradient_is_flatter_by_the_factor():
    shown = np.asarray(jax.jit(Scale(2.0, 2.0))(jax.random.key(0), RAMP))[..., 0]
    np.testing.assert_allclose(np.diff(shown, axis=0), 1 / 16, atol=1e-6)


def test_rotations_stay_within_their_angle():
    shown = np.asarray(jax.jit(jax.vmap(Rotate(30.0), (0, None)))(KEYS, RAMP))[..., 0]
    slope = shown[:, 5, 4] - shown[:, 3, 4], shown[:, 4, 5] - shown[:, 4, 3]
    angles = np.degrees(np.arctan2(slope[1], slope[0]))
    assert abs(angles).max() <= 30.01
    assert angles.min() < -15
    assert angles.max() > 15


@pytest.mark.parametrize("transform", [Jitter(3), Rotate(20.0), Scale(0.8, 1.2)])
def test_transforms_are_linear_in_the_image_and_differentiable(transform):
    view = functools.partial(transform, jax.random.key(1))
    other, weights = np.random.default_rng(1).uniform(0, 1, (2, *IMAGE.shape)).astype(np.float32)

    @jax.jit
    def measured(image, other):
        seen, pull = jax.vjp(view, image)
        return view((image + other) / 2), (seen + view(other)) / 2, seen - view(other), *pull(jnp.asarray(weights))

    middle, mean, step, pulled = measured(IMAGE, other)
    np.testing.assert_allclose(middle, mean, atol=1e-6)
    np.testing.assert_allclose(np.vdot(pulled, IMAGE - other), np.vdot(weights, step), atol=1e-4)
    assert abs(np.vdot(weights, step)) > 0.1
    halved = jax.eval_shape(view, jax.ShapeDtypeStruct(IMAGE.shape, jnp.bfloat16))
    assert halved.dtype == jnp.bfloat16


def test_each_image_has_its_own_view_whoever_else_is_there():
    viewed = jax.jit(lambda keys, images: apply(robust(6, 7), keys, images))
    views = viewed(KEYS[:3], np.stack([IMAGE, IMAGE, IMAGE]))
    assert not np.array_equal(views[0], views[1])
    np.testing.assert_allclose(viewed(KEYS[1:2], IMAGE[None])[0], views[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jitter(0), "pixels=0"),
        (lambda: Scale(1.1, 0.9), "0 < low"),
        (
            lambda: apply((lambda key, image: image[1:],), KEYS[:1], jnp.asarray(IMAGE[None])),
            r"gave float32\(1, 5, 7, 2\)",
        ),
    ],
)
def test_what_is_no_transform_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

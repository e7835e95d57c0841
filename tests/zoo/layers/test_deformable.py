import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers import DeformableConv, bilinear_sample, convolution, deformable_convolution, parameter_count

deform = jax.jit(deformable_convolution, static_argnames=("strides", "padding", "dilation", "groups"))


def test_bilinear_weight_and_its_slope():
    """At (1.7, 2.3) the pixel (2, 2) weighs 0.7 · 0.7, and moving along the first axis changes that by 0.7."""
    image = jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0)
    weight = lambda row: bilinear_sample(image, jnp.stack([row, jnp.float32(2.3)])[None, None])[0, 0, 0]  # noqa: E731
    value, slope = jax.jit(jax.value_and_grad(weight))(jnp.float32(1.7))
    np.testing.assert_allclose([value, slope], [0.49, 0.7], rtol=1e-5)


def test_bilinear_sample_inside_and_outside(normal, bilinear_oracle):
    image = normal(2, 4, 3, 2)
    places = np.array([[1.25, 0.5], [-0.4, 1.0], [3.6, 2.7], [-1.0, 0.0], [9.0, -7.0], [3.0, 2.0], [0.0, -0.75]])
    values = jax.jit(bilinear_sample)(jnp.asarray(image), jnp.asarray(np.stack([places, places[::-1]]), jnp.float32))
    for n, order in enumerate((places, places[::-1])):
        expected = np.stack([bilinear_oracle(image[n].astype(np.float64), *place) for place in order])
        np.testing.assert_allclose(values[n], expected, rtol=1e-5, atol=1e-6)


SETTINGS = {"strides": 2, "padding": ((1, 0), (2, 1)), "dilation": 2}


def test_definition_modulated_with_sets_of_channels(normal, bilinear_oracle):
    x, kernel = normal(1, 7, 6, 4), normal(2, 3, 2, 4)
    strides, pairs, dilation = (2, 1), ((1, 0), (2, 1)), (2, 1)
    height, width, taps, sets, groups = 3, 7, 6, 2, 2
    offsets = 1.5 * normal(1, height, width, 2 * sets * taps)
    mask = normal(1, height, width, sets * taps)
    y = deform(
        *map(jnp.asarray, (x, offsets, kernel, mask)), strides=strides, padding=pairs, dilation=dilation, groups=groups
    )
    expected = np.zeros((height, width, 4))
    moves, factors = offsets.reshape(height, width, sets, taps, 2), mask.reshape(height, width, sets, taps)
    for i, j, s, (tap, (a, b)) in itertools.product(
        range(height), range(width), range(sets), enumerate(itertools.product(range(2), range(3)))
    ):
        row = i * strides[0] - pairs[0][0] + a * dilation[0] + moves[i, j, s, tap, 0]
        column = j * strides[1] - pairs[1][0] + b * dilation[1] + moves[i, j, s, tap, 1]
        seen = bilinear_oracle(x[0, :, :, 2 * s : 2 * s + 2].astype(np.float64), row, column)
        expected[i, j, 2 * s : 2 * s + 2] += factors[i, j, s, tap] * (seen @ kernel[a, b, :, 2 * s : 2 * s + 2])
    np.testing.assert_allclose(y[0], expected, rtol=1e-4, atol=1e-4)


def test_zero_offsets_give_the_standard_convolution(normal):
    x, kernel = jnp.asarray(normal(2, 6, 7, 4)), jnp.asarray(normal(3, 3, 4, 5))
    plain = convolution(x, kernel, **SETTINGS)
    deformed = deform(x, jnp.zeros((*plain.shape[:3], 18)), kernel, **SETTINGS)
    np.testing.assert_allclose(deformed, plain, rtol=1e-5, atol=1e-5)
    fresh = DeformableConv(5, 3)
    variables = jax.jit(fresh.init)(jax.random.key(0), x)
    started = jax.jit(fresh.apply)(variables, x)
    np.testing.assert_allclose(started, convolution(x, variables["params"]["kernel"]), rtol=1e-5, atol=1e-5)


def test_integer_offsets_are_a_gather(normal):
    x, kernel = normal(1, 5, 5, 2), normal(1, 1, 2, 3)
    moves = np.random.default_rng(1).integers(-3, 4, (1, 5, 5, 2))
    y = deform(*map(jnp.asarray, (x, moves.astype(np.float32), kernel)))
    for i, j in np.ndindex(5, 5):
        row, column = i + moves[0, i, j, 0], j + moves[0, i, j, 1]
        inside = 0 <= row < 5 and 0 <= column < 5
        pixel = x[0, row, column] if inside else np.zeros(2)
        np.testing.assert_allclose(y[0, i, j], pixel @ kernel[0, 0], rtol=1e-5, atol=1e-5)


def test_gradients_through_image_offsets_weights_and_mask(normal):
    rng = np.random.default_rng(2)
    offsets = rng.integers(-2, 3, (1, 3, 3, 8)) + rng.uniform(0.2, 0.8, (1, 3, 3, 8))  # away from the kinks
    operands = normal(1, 3, 3, 2), offsets.astype(np.float32), normal(2, 2, 2, 2), normal(1, 3, 3, 4)
    check_grads(deform, tuple(map(jnp.asarray, operands)), order=1, modes=["rev"], atol=1e-2, rtol=1e-2)


def test_offsets_take_two_channels_a_tap():
    """2 · 3² = 18 offset channels, each a 3×3 convolution of its own; the modulated form has 9 more."""
    plain, modulated = (parameter_count(DeformableConv(64, 3, modulated=m), (8, 8, 64)) for m in (False, True))
    kernel = 9 * 64 * 64 + 64
    assert plain == kernel + (9 * 64 + 1) * 18
    assert modulated == plain + (9 * 64 + 1) * 9


@pytest.mark.parametrize(
    ("offsets", "mask", "message"),
    [
        ((1, 8, 8, 17), None, r"offsets of shape \(1, 8, 8, 17\).*takes \(1, 8, 8, 18\)"),
        ((1, 7, 8, 18), None, "outputs of 8×8"),
        ((1, 8, 8, 54), None, "divisor of the 4"),
        ((1, 8, 8, 18), (1, 8, 8, 18), r"expected \(1, 8, 8, 9\)"),
    ],
)
def test_wrong_offsets_are_refused(offsets, mask, message):
    with pytest.raises(ValueError, match=message):
        deformable_convolution(
            jnp.ones((1, 8, 8, 4)), jnp.ones(offsets), jnp.ones((3, 3, 4, 2)), None if mask is None else jnp.ones(mask)
        )


def test_wrong_ranks_are_refused():
    with pytest.raises(ValueError, match="expected"):
        deformable_convolution(jnp.ones((8, 8, 4)), jnp.ones((1, 8, 8, 18)), jnp.ones((3, 3, 4, 2)))
    with pytest.raises(ValueError, match="expected"):
        bilinear_sample(jnp.ones((1, 8, 8, 4)), jnp.ones((1, 5, 3)))
    with pytest.raises(ValueError, match=r"offsets of shape \(\)"):
        deformable_convolution(jnp.ones((1, 8, 8, 4)), jnp.ones(()), jnp.ones((3, 3, 4, 2)))
    with pytest.raises(ValueError, match="offset_groups=3 does not divide the 4"):
        DeformableConv(2, 3, offset_groups=3).init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))


def test_numpy_arrays_are_images_too():
    assert bilinear_sample(np.eye(4, dtype=np.float32)[None, ..., None], np.ones((1, 1, 2), np.float32)).item() == 1


def test_samples_of_bytes_are_refused():
    with pytest.raises(ValueError, match="images of type uint8: expected floats"):
        bilinear_sample(jnp.ones((1, 4, 4, 1), jnp.uint8), jnp.ones((1, 1, 2)))

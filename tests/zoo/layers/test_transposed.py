import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from zoo.layers import ResizeConv, TransposedConv, checkerboard, convolution, transposed_convolution


def naive_transposed(y, kernel, strides, pairs, dilation, sizes):
    """Every pixel of y paints the kernel, scaled, onto the image."""
    whole = [size + low + high for size, (low, high) in zip(sizes, pairs, strict=True)]
    x = np.zeros((y.shape[0], *whole, kernel.shape[-2]))
    for i, j in itertools.product(range(y.shape[1]), range(y.shape[2])):
        for a, b in itertools.product(range(kernel.shape[0]), range(kernel.shape[1])):
            x[:, i * strides[0] + a * dilation[0], j * strides[1] + b * dilation[1]] += y[:, i, j] @ kernel[a, b].T
    return x[:, pairs[0][0] : pairs[0][0] + sizes[0], pairs[1][0] : pairs[1][0] + sizes[1]]


def test_definition(normal):
    y, kernel = normal(2, 3, 4, 2), normal(3, 2, 5, 2)
    result = transposed_convolution(jnp.asarray(y), jnp.asarray(kernel), (2, 3), ((1, 0), (0, 1)), (2, 1))
    assert result.shape == (2, 8, 10, 5)
    expected = naive_transposed(y.astype(np.float64), kernel, (2, 3), ((1, 0), (0, 1)), (2, 1), (8, 10))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


pairs = st.tuples(st.integers(0, 2), st.integers(0, 2))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(5, 7), st.integers(5, 7)),
    kernel_size=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.one_of(st.just("SAME"), st.just("VALID"), st.tuples(pairs, pairs)),
    groups=st.sampled_from((1, 2)),
)
def test_adjoint_of_the_convolution(size, kernel_size, strides, dilation, padding, groups):
    """⟨Cx, y⟩ = ⟨x, Cᵀy⟩, sizes that the stride does not divide included."""
    spans = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    if padding != "SAME" and any(span > n for span, n in zip(spans, size, strict=True)):
        padding = "SAME"
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(1, *size, 4)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*kernel_size, 4 // groups, 2)), jnp.float32)
    image = convolution(x, kernel, strides, padding, dilation, groups)
    y = jnp.asarray(rng.normal(size=image.shape), jnp.float32)
    back = transposed_convolution(y, kernel, strides, padding, dilation, groups, sizes=size)
    there, here = np.vdot(image, y), np.vdot(x, back)
    scale = np.linalg.norm(image) * np.linalg.norm(y)
    assert abs(there - here) < 1e-5 * scale


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"kernel_size": 3, "strides": 2, "padding": 0}, 2 * 4 + 3),
        ({"kernel_size": 3, "strides": 2, "padding": 1}, 2 * 4 + 3 - 2),
        ({"kernel_size": 4, "strides": 2, "padding": 1}, 10),
        ({"kernel_size": 2, "strides": 3}, 15),
        ({"kernel_size": 5, "strides": 2}, 10),
        ({"kernel_size": 3, "strides": 1, "padding": "VALID", "dilation": 2}, 9),
    ],
)
def test_sizes(settings, size):
    """(n − 1)·s + k − 2p; by default n·s."""
    layer = TransposedConv(2, **settings)
    y, _ = jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 5, 5, 3)))
    assert y.shape == (1, size, size, 2)


def test_same_numbers_as_flax_with_a_transposed_kernel(normal):
    x, kernel = jnp.asarray(normal(2, 5, 4, 3)), jnp.asarray(normal(4, 4, 2, 3))
    theirs = nn.ConvTranspose(2, (4, 4), (2, 2), transpose_kernel=True, use_bias=False)
    ours = TransposedConv(2, 4, 2, use_bias=False)
    variables = {"params": {"kernel": kernel}}
    np.testing.assert_allclose(ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5)


def test_gradients(normal):
    check_grads(
        jax.jit(lambda y, k: transposed_convolution(y, k, 2, 1)),
        (jnp.asarray(normal(1, 3, 3, 2)), jnp.asarray(normal(3, 3, 2, 2))),
        order=1,
        modes=["rev"],
        atol=1e-2,
        rtol=1e-2,
    )


def test_uneven_overlap_is_a_checkerboard_and_resizing_leaves_none():
    ones = jnp.ones((1, 8, 8, 1))
    painted = {k: transposed_convolution(ones, jnp.ones((k, k, 1, 1)), 2, 0)[:, 2:-2, 2:-2] for k in (3, 4)}
    assert checkerboard(painted[3])[0, 0] == 1.0
    assert checkerboard(painted[4])[0, 0] == 0.0
    layer = ResizeConv(1, 3)
    variables = {"params": {"conv": {"kernel": jnp.ones((3, 3, 1, 1)), "bias": jnp.zeros(1)}}}
    assert checkerboard(layer.apply(variables, ones)[:, 2:-2, 2:-2])[0, 0] == 0.0


def test_checkerboard_is_the_share_of_variance(normal):
    noise = normal(64, 64, 1)
    assert checkerboard(jnp.asarray(noise))[0] < 0.01
    board = (-1.0) ** np.indices((64, 64)).sum(0)[..., None].astype(np.float32)
    mixed = float(checkerboard(jnp.asarray(noise + board))[0])
    np.testing.assert_allclose(mixed, 1 / (1 + noise.var()), atol=0.03)


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_resize_then_convolve(method, normal):
    x = jnp.asarray(normal(1, 3, 4, 2))
    layer = ResizeConv(2, 1, 2, method=method, use_bias=False)
    y = layer.apply({"params": {"conv": {"kernel": jnp.eye(2)[None, None]}}}, x)
    assert y.shape == (1, 6, 8, 2)
    if method == "nearest":
        np.testing.assert_array_equal(y, np.repeat(np.repeat(x, 2, 1), 2, 2))
    else:  # the new pixels lie a quarter of the way between the old ones
        np.testing.assert_allclose(y[0, 0, 1], 0.75 * x[0, 0, 0] + 0.25 * x[0, 0, 1], rtol=1e-5)


def test_bad_input_is_refused():
    y, kernel = jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 2, 3))
    with pytest.raises(ValueError, match="takes away all 3 pixels"):
        transposed_convolution(jnp.ones((1, 1, 1, 3)), kernel, 2, 2)
    with pytest.raises(ValueError, match="does not map 12 pixels to the 4.*give 9 to 10"):
        transposed_convolution(y, kernel, 2, 0, sizes=(9, 12))
    with pytest.raises(ValueError, match="expected"):
        transposed_convolution(y, jnp.ones((3, 3, 3, 2)), 2)
    with pytest.raises(ValueError, match="groups=2 does not divide 3"):
        transposed_convolution(y, kernel, 2, groups=2)
    with pytest.raises(ValueError, match="'cubic' is unknown"):
        ResizeConv(2, 3, method="cubic").init(jax.random.key(0), y)
    with pytest.raises(ValueError, match="at least 4 pixels"):
        checkerboard(jnp.ones((3, 8, 1)), 4)

import itertools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers import (
    adaptive_avg_pool,
    avg_pool,
    blur_pool,
    flatten,
    global_avg_pool,
    global_max_pool,
    max_pool,
    translation_tolerance,
)


def windows(size, k, s, low, high, ceil_mode):
    """Start and end of every window along an axis, clipped to the input, and to the input with its padding."""
    outputs = (size + low + high - k) / s
    count = (math.ceil(outputs) if ceil_mode else math.floor(outputs)) + 1
    if ceil_mode and (count - 1) * s >= size + low:
        count -= 1
    starts = [i * s - low for i in range(count)]
    return [((max(a, 0), min(a + k, size)), min(a + k, size + high) - a) for a in starts]


def naive_pool(x, k, s, pairs, ceil_mode, reduce):
    axes = [windows(n, k, s, *pair, ceil_mode) for n, pair in zip(x.shape[1:3], pairs, strict=True)]
    y = np.zeros((x.shape[0], *map(len, axes), x.shape[-1]))
    for (i, ((a, b), tall)), (j, ((c, d), wide)) in itertools.product(*map(enumerate, axes)):
        y[:, i, j] = reduce(x[:, a:b, c:d].astype(np.float64), tall * wide)
    return y


CASES = [
    (2, 2, ((0, 0), (0, 0)), False),
    (3, 2, ((0, 0), (0, 0)), False),
    (3, 2, ((0, 0), (0, 0)), True),
    (3, 2, ((1, 1), (1, 1)), True),
    (2, 3, ((1, 0), (0, 1)), True),
    (3, 1, ((1, 1), (1, 1)), False),
]


@pytest.mark.parametrize(("k", "s", "pairs", "ceil_mode"), CASES)
def test_pools_by_definition(k, s, pairs, ceil_mode, normal):
    x = normal(2, 8, 7, 3)
    settings = {"strides": s, "padding": pairs, "ceil_mode": ceil_mode}
    largest = naive_pool(x, k, s, pairs, ceil_mode, lambda seen, _: seen.max((1, 2)))
    np.testing.assert_array_equal(max_pool(jnp.asarray(x), k, **settings), largest.astype(np.float32))
    counted = naive_pool(x, k, s, pairs, ceil_mode, lambda seen, area: seen.sum((1, 2)) / area)
    np.testing.assert_allclose(avg_pool(jnp.asarray(x), k, **settings), counted, rtol=1e-5, atol=1e-6)
    inside = naive_pool(x, k, s, pairs, ceil_mode, lambda seen, _: seen.mean((1, 2)))
    ours = avg_pool(jnp.asarray(x), k, count_include_pad=False, **settings)
    np.testing.assert_allclose(ours, inside, rtol=1e-5, atol=1e-6)


def test_ceil_mode_keeps_the_last_pixels():
    x = jnp.ones((1, 112, 56, 2))
    assert jax.eval_shape(lambda x: max_pool(x, 3, 2), x).shape == (1, 55, 27, 2)
    assert jax.eval_shape(lambda x: max_pool(x, 3, 2, ceil_mode=True), x).shape == (1, 56, 28, 2)


def test_max_pooling_of_the_hand_worked_input():
    rows = np.repeat(np.arange(1.0, 5)[:, None], 4, axis=1)
    x = jnp.asarray(np.stack([np.ones((4, 4)), np.full((4, 4), 2.0), rows], axis=-1)[None])
    assert np.moveaxis(np.asarray(max_pool(x, 2)[0]), -1, 0).tolist() == [[[1, 1]] * 2, [[2, 2]] * 2, [[2, 2], [4, 4]]]


@pytest.mark.parametrize("sizes", [(3, 2), (4, 5), 2, (9, 1)])
def test_adaptive_windows(sizes, normal):
    x = normal(2, 8, 6, 3)
    rows, columns = (sizes, sizes) if isinstance(sizes, int) else sizes
    y = adaptive_avg_pool(jnp.asarray(x), sizes)
    for i, j in np.ndindex(rows, columns):
        seen = x[:, i * 8 // rows : -(-(i + 1) * 8 // rows), j * 6 // columns : -(-(j + 1) * 6 // columns)]
        np.testing.assert_allclose(y[:, i, j], seen.mean((1, 2)), rtol=1e-5, atol=1e-6)


def test_global_pools_and_flatten(normal):
    x = normal(2, 3, 4, 5)
    np.testing.assert_allclose(global_avg_pool(jnp.asarray(x)), x.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(global_max_pool(jnp.asarray(x)), x.max((1, 2)))
    np.testing.assert_array_equal(flatten(jnp.asarray(x)), x.reshape(2, -1))


def test_blur_is_binomial_with_mirrored_borders(normal):
    x = normal(1, 7, 6, 2)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    line = np.array([0.25, 0.5, 0.25])
    full = sum(line[a] * line[b] * padded[:, a : a + 7, b : b + 6] for a, b in itertools.product(range(3), range(3)))
    np.testing.assert_allclose(blur_pool(jnp.asarray(x)), full[:, ::2, ::2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(blur_pool(jnp.ones((1, 8, 8, 1)), 5), np.ones((1, 4, 4, 1)), rtol=1e-6)


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_any_batch_axes_and_one_or_three_dimensions(batch, normal):
    x = normal(*batch, 6, 6, 2)
    whole = x.reshape(-1, 6, 6, 2)
    for pool in (lambda x: max_pool(x, 3, 2), lambda x: avg_pool(x, 2), lambda x: adaptive_avg_pool(x, 4)):
        y = pool(jnp.asarray(x))
        np.testing.assert_allclose(y, pool(jnp.asarray(whole)).reshape(y.shape), rtol=1e-6)
    assert max_pool(jnp.asarray(normal(2, 9, 3)), (3,), (2,)).shape == (2, 4, 3)
    assert avg_pool(jnp.asarray(normal(2, 4, 4, 4, 3)), (2, 2, 2)).shape == (2, 2, 2, 2, 3)


def test_gradients(normal):
    x = jnp.asarray(np.random.default_rng(0).permutation(72).reshape(1, 6, 6, 2) / 7, jnp.float32)  # no ties
    for pool in (lambda x: max_pool(x, 3, 2), lambda x: avg_pool(x, 3, 2, 1), blur_pool):
        check_grads(jax.jit(pool), (x,), order=1, modes=["rev"], atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(("k", "s", "pairs", "ceil_mode"), CASES)
def test_the_first_of_equal_pixels_has_the_gradient_of_max_pooling(k, s, pairs, ceil_mode, normal):
    x = jnp.asarray(np.random.default_rng(1).integers(0, 3, (2, 8, 7, 3)), jnp.float32)  # many ties
    native = lambda x: nn.max_pool(x, (k, k), (s, s), pairs)  # noqa: E731
    pool = lambda x: max_pool(x, k, s, pairs)  # noqa: E731
    cotangent = jnp.asarray(normal(*native(x).shape))
    pulled = [jax.jit(lambda x, f=f: jax.vjp(f, x)[1](cotangent)[0])(x) for f in (pool, native)]
    np.testing.assert_allclose(*pulled, rtol=1e-5, atol=1e-6)
    tangent = jnp.asarray(normal(*x.shape))
    pushed = jax.jvp(pool, (x,), (tangent,))[1]
    np.testing.assert_allclose((pushed * cotangent).sum(), (pulled[0] * tangent).sum(), rtol=1e-4)


def test_translation_tolerance():
    """A lone peak stays in one 3×3 window for two pixels, but the whole output changes at the first."""
    overlapping = translation_tolerance(lambda x: max_pool(x, 3, 2))
    assert overlapping == (2, 0, 0.0)
    disjoint = translation_tolerance(lambda x: max_pool(x, 2))
    assert (disjoint.window, disjoint.output) == (1, 1)
    np.testing.assert_allclose(disjoint.unchanged, 0.5, atol=0.05)
    assert translation_tolerance(lambda x: max_pool(x, 3, 1, 1)).output == 0
    everything = translation_tolerance(lambda x: global_max_pool(x)[:, None, None])
    assert everything.unchanged == 1.0


def test_bad_input_is_refused():
    x = jnp.ones((1, 4, 4, 2))
    with pytest.raises(ValueError, match="window of 5 is larger than spatial axis 0 of 4"):
        max_pool(x, 5)
    with pytest.raises(ValueError, match="leaves windows of 2 without a pixel: use at most 1"):
        avg_pool(x, 2, padding=2)
    with pytest.raises(ValueError, match="window=0"):
        max_pool(x, 0)
    with pytest.raises(ValueError, match="expects"):
        max_pool(jnp.ones((4, 2)), 2)
    with pytest.raises(ValueError, match="sizes="):
        adaptive_avg_pool(x, 0)
    with pytest.raises(ValueError, match="of more than 2 px"):
        blur_pool(jnp.ones((1, 2, 2, 1)), 5)
    with pytest.raises(ValueError, match="window=2.0"):
        max_pool(x, 2.0)
    with pytest.raises(ValueError, match="size=3"):
        translation_tolerance(global_max_pool, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_])
def test_whole_numbers_have_a_largest_one(dtype):
    image = jnp.asarray(np.eye(4), dtype).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(max_pool(image, 2)[0, ..., 0], np.eye(2))
    assert not max_pool(jnp.zeros_like(image), 3, 2, 1).any()  # what is padded never wins


@pytest.mark.parametrize("pool", [blur_pool, lambda x: adaptive_avg_pool(x, 3), lambda x: avg_pool(x, 2)])
def test_bytes_have_fractions_as_means(pool):
    """As whole numbers every weight below 1 would be 0."""
    image = np.arange(0, 256, 16, np.uint8).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(pool(jnp.asarray(image)), pool(jnp.asarray(image, jnp.float32)), rtol=1e-6)

import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers import blur_pool, depth_to_space, image_pyramid, space_to_depth


def test_coefficients_are_kept():
    """A 4×4 image of one channel has as many numbers as a 2×2 image of four."""
    x = jnp.arange(16.0).reshape(4, 4, 1)
    y = space_to_depth(x)
    assert y.shape == (2, 2, 4)
    assert y[0, 1].tolist() == [2, 3, 6, 7]
    np.testing.assert_array_equal(depth_to_space(y), x)


def test_blocks_by_definition(normal):
    x = normal(2, 6, 9, 2)
    y = space_to_depth(jnp.asarray(x), 3)
    for i, j, a, b in np.ndindex(2, 3, 3, 3):
        np.testing.assert_array_equal(y[:, i, j, 2 * (3 * a + b) : 2 * (3 * a + b) + 2], x[:, 3 * i + a, 3 * j + b])
    np.testing.assert_array_equal(depth_to_space(y, 3), x)


def test_pyramid_halves_and_keeps_the_brightness(normal):
    x = jnp.asarray(normal(1, 20, 17, 2))
    levels = image_pyramid(x, 3)
    assert [level.shape[1:3] for level in levels] == [(20, 17), (10, 9), (5, 5)]
    np.testing.assert_array_equal(levels[0], x)
    np.testing.assert_allclose(levels[2], blur_pool(blur_pool(x, 5), 5), rtol=1e-6)
    assert all(np.allclose(level, 3.0) for level in image_pyramid(jnp.full((1, 16, 16, 1), 3.0), 3))


def test_a_filter_finds_its_pattern_at_the_scale_where_it_fits():
    """A disc four times too large answers best two levels down."""

    def disc(radius, size):
        grid = np.indices((size, size)) - (size - 1) / 2
        return (np.hypot(*grid) <= radius).astype(np.float32)

    image = jnp.asarray(disc(10.0, 64))[None, :, :, None]
    template = disc(2.5, 9) - disc(2.5, 9).mean()
    scores = []
    for level in image_pyramid(image, 4):
        flat = np.asarray(level[0, :, :, 0])
        if min(flat.shape) < 9:
            break
        seen = np.lib.stride_tricks.sliding_window_view(flat, (9, 9))
        scores.append((seen * template).sum((-1, -2)).max())
    assert int(np.argmax(scores)) == 2


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="multiples of 2"):
        space_to_depth(jnp.ones((5, 4, 1)))
    with pytest.raises(ValueError, match="C a multiple of 4"):
        depth_to_space(jnp.ones((2, 2, 6)))
    with pytest.raises(ValueError, match="levels=0"):
        image_pyramid(jnp.ones((1, 8, 8, 1)), 0)
    with pytest.raises(ValueError, match=r"levels=4: level 2.* has \(2, 2\) pixels.*use at most 2"):
        image_pyramid(jnp.ones((1, 4, 4, 1)), 4)

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from zoo.layers import Conv, CoordConv, add_coordinates, global_avg_pool


def test_rows_and_columns_as_channels(normal):
    x = normal(2, 4, 5, 3)
    y = add_coordinates(jnp.asarray(x))
    np.testing.assert_array_equal(y[..., :3], x)
    for i, j in np.ndindex(4, 5):
        np.testing.assert_allclose(y[1, i, j, 3:], [i / 4, j / 5], rtol=1e-6)


def test_centred_and_radius():
    y = add_coordinates(jnp.zeros((3, 5, 1)), centred=True, radius=True)
    assert y[1, 2, 1:].tolist() == [0, 0, 0]
    assert y[0, 0, 1:3].tolist() == [-1, -1]
    np.testing.assert_allclose(y[..., 3], np.hypot(y[..., 1], y[..., 2]), rtol=1e-6)
    assert add_coordinates(jnp.zeros((1, 1, 1)), centred=True).tolist() == [[[0, 0, 0]]]


def test_the_layer_is_a_convolution_of_the_longer_image(normal, draw):
    x = jnp.asarray(normal(2, 6, 6, 3))
    layer = CoordConv(4, 3, strides=2, radius=True)
    variables = draw(layer, x)
    assert variables["params"]["conv"]["kernel"].shape == (3, 3, 6, 4)
    inner = Conv(4, 3, strides=2).apply({"params": variables["params"]["conv"]}, add_coordinates(x, radius=True))
    np.testing.assert_allclose(layer.apply(variables, x), inner, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("layer", "learns"), [(Conv, False), (CoordConv, True)])
def test_position_of_a_dot_after_global_pooling(layer, learns):
    """Fit the dot's place linearly on pooled features of random kernels: only coordinates carry it past the pool."""
    where = np.array([(i, j) for i in range(2, 14) for j in range(2, 14)])
    dots = np.zeros((len(where), 16, 16, 1), np.float32)
    dots[np.arange(len(where)), where[:, 0], where[:, 1]] = 10.0
    net = layer(32, 3)
    variables = net.init(jax.random.key(0), jnp.asarray(dots[:1]))
    features = np.asarray(global_avg_pool(nn.relu(net.apply(variables, jnp.asarray(dots)))), np.float64)
    features = np.column_stack([features, np.ones(len(where))])
    train, test = np.arange(len(where)) % 2 == 0, np.arange(len(where)) % 2 == 1
    weights = np.linalg.lstsq(features[train], where[train], rcond=1e-6)[0]
    error = np.sqrt(((features[test] @ weights - where[test]) ** 2).mean())
    spread = where[test].std()
    assert error < 0.2 * spread if learns else error > 0.95 * spread


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="expected"):
        add_coordinates(jnp.zeros((4, 4)))
    with pytest.raises(ValueError, match="3 entries for 2"):
        CoordConv(4, (3, 3, 3)).init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)))


def test_bytes_of_an_image_get_fractions_as_positions():
    """As whole numbers all positions from 0 to 1 would be 0."""
    image = np.ones((4, 4, 1), np.uint8)
    np.testing.assert_array_equal(add_coordinates(image), add_coordinates(image.astype(np.float32)))

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zoo.architectures.coordinate_regressor import CoordinateRegressor
from zoo.layers import NoNorm


def squares(count, seed):
    """One bright 5×5 square each, at least 4 pixels from the border; and its centre."""
    corners = np.random.default_rng(seed).integers(4, 23, (count, 2))
    images = np.zeros((count, 32, 32, 1), np.float32)
    for image, (row, column) in zip(images, corners, strict=True):
        image[row : row + 5, column : column + 5] = 1
    return jnp.asarray(images), jnp.asarray((corners + 2) / 32, jnp.float32)


@pytest.mark.slow
@pytest.mark.parametrize("coordinates", [True, False])
def test_only_coordinates_tell_where_the_square_is(draw, coordinates):
    """Trained alike, for new images: a guess at the middle is off by 5.5 pixels in each direction."""
    model = CoordinateRegressor(widths=(8, 16), coordinates=coordinates)
    images, places = squares(128, seed=0)
    optimizer = optax.adam(1e-2)
    variables = draw(model, 32, 32, 1)
    state = optimizer.init(variables["params"])

    def loss(params, statistics):
        found, updated = model.apply({"params": params, **statistics}, images, True, mutable=["batch_stats"])
        return jnp.mean(jnp.square(found - places)), updated

    @jax.jit
    def step(variables, state):
        params, statistics = variables["params"], {"batch_stats": variables["batch_stats"]}
        gradients, statistics = jax.grad(loss, has_aux=True)(params, statistics)
        updates, state = optimizer.update(gradients, state)
        return {"params": optax.apply_updates(params, updates), **statistics}, state

    with jax.numpy_dtype_promotion("standard"):  # optax counts its steps in int32
        for _ in range(250):
            variables, state = step(variables, state)
    fresh, truth = squares(128, seed=1)
    error = 32 * np.sqrt(np.square(jax.jit(model.apply)(variables, fresh) - truth).mean())
    assert error < 2 if coordinates else error > 4, error


def test_without_coordinates_the_answer_ignores_where(draw, apply):
    model = CoordinateRegressor(coordinates=False, norm=NoNorm())
    image = np.zeros((1, 64, 64, 1), np.float32)
    image[:, 20:26, 20:26] = 1
    # Moved by a multiple of all strides' product.
    both = jnp.asarray(np.concatenate([image, np.roll(image, (16, 8), (1, 2))]))
    one, other = np.asarray(apply(model, draw(model, 64, 64, 1), both))
    np.testing.assert_allclose(one, other, atol=1e-6)

"""The smallest network of each family, with random variables and images as small as it takes."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np

import zoo

FAMILIES: dict[type, str] = {}
for _name in zoo.list_models():
    FAMILIES.setdefault(zoo.catalog.variant(_name).build, _name)


def smallest(name: str) -> tuple:
    """The model with random variables made without compiling, and two images as small as it takes."""
    model = zoo.create(name)
    shape, shapes = smallest_shapes(model)
    generator = np.random.default_rng(0)
    draw = lambda leaf: jnp.asarray(0.05 * np.abs(generator.standard_normal(leaf.shape)), leaf.dtype)  # noqa: E731
    return model, jax.tree.map(draw, shapes), jnp.asarray(generator.random((2, *shape)), jnp.float32)


def smallest_shapes(model) -> tuple:
    height, width, channels = zoo.catalog.input_shape(model)
    for size in (32, 64, 96, 128):
        shape = (min(size, height), min(size, width), channels)
        with contextlib.suppress(ValueError):
            return shape, jax.eval_shape(functools.partial(zoo.init, model, jax.random.key(0), shape))
    return (height, width, channels), jax.eval_shape(
        functools.partial(zoo.init, model, jax.random.key(0), (height, width, channels))
    )

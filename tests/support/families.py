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

    def draw(path, leaf):
        """Of variance 2 / inputs, so that signals neither die nor explode; statistics near 0 and 1."""
        normal, kind = generator.standard_normal(leaf.shape), path[-1].key
        if kind in ("scale", "var"):
            normal = 1 + 0.2 * np.tanh(normal)
        else:
            inputs = np.prod(leaf.shape[:-1])
            normal *= np.sqrt(2 / inputs) if len(leaf.shape) > 1 else 0.1
        return jnp.asarray(normal, leaf.dtype)

    variables = jax.tree.map_with_path(draw, shapes)
    return model, variables, jnp.asarray(generator.random((2, *shape)), jnp.float32)


def smallest_shapes(model) -> tuple:
    height, width, channels = zoo.catalog.input_shape(model)
    for size in (32, 64, 96, 128):
        shape = (min(size, height), min(size, width), channels)
        with contextlib.suppress(ValueError):
            return shape, jax.eval_shape(functools.partial(zoo.init, model, jax.random.key(0), shape))
    return (height, width, channels), jax.eval_shape(
        functools.partial(zoo.init, model, jax.random.key(0), (height, width, channels))
    )

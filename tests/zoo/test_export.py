"""One model a family as a program of its own: exported, written, read and called, it gives the same logits."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES.values())
def test_an_exported_program_gives_the_same_logits(name):
    model, variables, images = smallest(name)
    function = jax.jit(lambda variables, images: model.apply(variables, images))
    written = jax.export.export(function)(variables, images).serialize()
    assert len(written) < 4e6, "weights became constants of the program"
    found = jax.export.deserialize(written).call(variables, images)
    np.testing.assert_array_equal(found, function(variables, images))


@pytest.mark.slow
def test_one_program_serves_several_platforms_and_any_number_of_images():
    model, variables, images = smallest("mobilenet_v2")
    (n,) = jax.export.symbolic_shape("n")
    several = jax.ShapeDtypeStruct((n, *images.shape[1:]), images.dtype)
    exported = jax.export.export(jax.jit(model.apply), platforms=("cpu", "cuda", "tpu"))(variables, several)
    program = jax.export.deserialize(exported.serialize())
    for count in (1, 2):
        np.testing.assert_allclose(
            program.call(variables, images[:count]), model.apply(variables, images[:count]), rtol=1e-4, atol=1e-5
        )

"""One model a family as a program of its own: exported, written, read and called, it gives the same logits."""

import jax
import numpy as np
import pytest

from tests.support.families import FAMILIES, smallest


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

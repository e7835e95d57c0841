"""What holds for every layer: any batch axes, vmap, bfloat16, a gradient in every parameter, in one program each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo import layers

LAYERS = [
    layers.Conv(4, 3, 2, groups=2),
    layers.PointwiseConv(4),
    layers.CoordConv(4, 3, radius=True),
    layers.UnsharedConv(4, 3, 2),
    layers.TransposedConv(4, 3, 2),
    layers.ResizeConv(4, 3, method="bilinear"),
    layers.SpatiallySeparableConv(4, 3),
    layers.DepthwiseConv(3, multiplier=2),
    layers.DepthwiseSeparableConv(4, 3),
    layers.DeformableConv(4, 3, 2, modulated=True),
    layers.LocalResponseNorm(),
    layers.SqueezeExcite(reduction=2),
    layers.CBAM(reduction=2, kernel_size=3),
    layers.NaiveInception(2, 2, 2, norm=layers.NoNorm()),
    layers.Inception(2, (2, 2), (2, 2), 2, norm=layers.NoNorm()),
    layers.FactorisedInception(2, (2, 2), (2, 2), 2, form="expanded", norm=layers.NoNorm()),
    layers.BasicBlock(4, norm=layers.NoNorm()),
    layers.BottleneckBlock(2, 2, norm=layers.NoNorm()),
    layers.PreActivationBlock(4, norm=layers.NoNorm()),
    layers.PlainBlock(4, norm=layers.NoNorm()),
    layers.HighwayBlock(4, norm=layers.NoNorm()),
    layers.DenseBlock(2, 2, norm=layers.NoNorm()),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_batches_types_and_gradients(layer, normal, draw):
    x = jnp.asarray(normal(2, 5, 6, 4))
    variables = jax.tree.map(lambda leaf: leaf - 0.4, draw(layer, x))  # both signs, so that no unit is dead
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), (variables, x))

    @jax.jit
    def everything(variables, x, half):
        y = layer.apply(variables, x)
        mapped = jax.vmap(lambda image: layer.apply(variables, image[None])[0])(x)
        gradient = jax.grad(lambda variables: (layer.apply(variables, x) ** 2).sum())(variables)
        return y, mapped, gradient, layer.apply(*half)

    y, mapped, gradient, coarse = everything(variables, x, half)
    np.testing.assert_allclose(mapped, y, rtol=1e-4, atol=1e-4)
    assert coarse.dtype == jnp.bfloat16
    np.testing.assert_allclose(coarse.astype(jnp.float32), y, atol=0.1 * float(jnp.abs(y).max()))
    for leaf in jax.tree.leaves(gradient):
        assert bool(jnp.isfinite(leaf).all())
        assert bool(leaf.any())


@pytest.mark.parametrize("layer", LAYERS[:13], ids=lambda layer: type(layer).__name__)
def test_any_batch_axes(layer, draw):
    """The layers proper take what `flax.linen.Conv` takes: no batch axis, one, or several."""
    image = jax.ShapeDtypeStruct((5, 6, 4), jnp.float32)
    variables = jax.eval_shape(layer.init, jax.random.key(0), image)
    inner = jax.eval_shape(layer.apply, variables, image).shape
    for batch in ((3,), (2, 3)):
        many = jax.ShapeDtypeStruct((*batch, 5, 6, 4), jnp.float32)
        assert jax.eval_shape(layer.init, jax.random.key(0), many) == variables
        assert jax.eval_shape(layer.apply, variables, many).shape == (*batch, *inner)

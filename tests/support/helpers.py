"""Small networks that several tests share, and variables for any network; `tests` is on the path of pytest."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np


def random_variables(model: nn.Module, shape: tuple[int, ...], seed: int = 0, mean: float = 0.0, scale: float = 0.3):
    """Normal variables of a model for (H, W, C) images; statistics too, so give a model without any, or mend them."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *shape)))
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(mean, scale, leaf.shape), leaf.dtype), shapes)


class Small(nn.Module):
    """Two stages and a fully-connected head; `dtype` is that of the computation."""

    dtype: Any = None

    @nn.compact
    def __call__(self, images, train=False):
        assert not train
        x = nn.relu(nn.Conv(4, (3, 3), dtype=self.dtype, name="stage1")(images))
        x = nn.relu(nn.Conv(5, (3, 3), 2, dtype=self.dtype, name="stage2")(x))
        return nn.Dense(3, dtype=self.dtype, name="head")(x.reshape(x.shape[0], -1))


class Pooled(nn.Module):
    """A network on which every method is defined: rectifiers through a field, a mean over space before the head."""

    act: Any = None
    dtype: Any = None

    @nn.compact
    def __call__(self, images):
        act = self.act or nn.relu
        x = act(nn.Conv(4, (3, 3), dtype=self.dtype, name="stem")(images))
        x = act(nn.Conv(5, (3, 3), 2, dtype=self.dtype, name="stage1")(x))
        return nn.Dense(3, dtype=self.dtype, name="head")(x.mean((1, 2)))

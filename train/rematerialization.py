"""Rematerialization: blocks of a network whose activations are computed again in the backward pass, not kept.

Reference: Chen et al., 2016, arXiv:1604.06174.
"""

import contextlib
from collections.abc import Iterator

import flax.linen as nn
import jax

from zoo.layers.residual import Stage


@contextlib.contextmanager
def of_blocks() -> Iterator[None]:
    """A context in which every block of a network keeps only its input for the gradient.

    A block is a block of a stage, or else a part that the network itself names: a stem, a layer, a head. Outputs and
    gradients stay the same, to rounding. The network must be traced inside: what was compiled before stays as it is.

    Example:
      >>> import jax.numpy as jnp
      >>> model = nn.Sequential([nn.Dense(4), nn.Dense(2)])
      >>> variables = model.init(jax.random.key(0), jnp.ones((1, 3)))
      >>> with of_blocks():
      ...     gradient = jax.grad(lambda v: model.apply(v, jnp.ones((1, 3))).sum())(variables)
      >>> gradient["params"]["layers_1"]["bias"].tolist()
      [1.0, 1.0]
    """
    inside = False

    def rematerialize(call, arguments, keywords, context):
        nonlocal inside
        if inside or context.method_name != "__call__" or not _is_block(context.module):
            return call(*arguments, **keywords)
        traced = [isinstance(value, jax.Array) for value in arguments]

        def block(module, *arrays):
            nonlocal inside
            inside, fresh = True, iter(arrays)
            try:
                return module(*(next(fresh) if t else a for t, a in zip(traced, arguments, strict=True)), **keywords)
            finally:
                inside = False

        arrays = [value for value, is_traced in zip(arguments, traced, strict=True) if is_traced]
        return nn.remat(block)(context.module, *arrays)

    with nn.intercept_methods(rematerialize):
        yield


def _is_block(module: nn.Module) -> bool:
    if isinstance(module, Stage):
        return False
    return len(module.path) == 1 or isinstance(module.parent, Stage)

"""Divergence: the first parameter of a network that is no longer a finite number."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict


def first_bad(model: nn.Module, variables: dict[str, Any], image_shape: tuple[int, ...]) -> str | None:
    """The first array with NaN or infinity, in the order in which the network uses its layers.

    Args:
      model: of the variables.
      variables: concrete.
      image_shape: (H, W, C).

    Returns:
      Its name and how many others are bad, such as `params/stem/kernel, and 30 more of 31 arrays`; None: all are
      finite.

    Example:
      >>> model = nn.Sequential([nn.Dense(2), nn.Dense(2)])
      >>> variables = model.init(jax.random.key(0), jnp.ones((1, 3)))
      >>> variables["params"]["layers_1"]["bias"] *= jnp.nan
      >>> first_bad(model, variables, (3,))
      'params/layers_1/bias'
    """
    flat = flatten_dict(variables)
    bad = [path for path, leaf in flat.items() if not np.isfinite(np.asarray(leaf, np.float32)).all()]
    if not bad:
        return None
    order = {path: place for place, path in enumerate(_layers(model, variables, image_shape))}
    # Within a layer the kernel comes first; what the forward pass does not use comes last.
    first = min(bad, key=lambda path: (order.get(path[1:-1], len(order)), path[0] != "params", path[-1] != "kernel"))
    more = f", and {len(bad) - 1} more of {len(flat)} arrays" if len(bad) > 1 else ""
    return "/".join(first) + more


def _layers(model: nn.Module, variables: dict[str, Any], image_shape: tuple[int, ...]) -> list[tuple[str, ...]]:
    """Paths of all modules, in the order of their calls."""
    paths: list[tuple[str, ...]] = []

    def note(call, arguments, keywords, context):
        paths.append(context.module.path)
        return call(*arguments, **keywords)

    with nn.intercept_methods(note):
        jax.eval_shape(model.apply, variables, jnp.zeros((1, *image_shape)))
    return paths

"""Caricatures: images that exaggerate the response of a layer to another image.

Reference: Olah, 2018, Lucid's feature-inversion caricatures, github.com/tensorflow/lucid.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.features import ascent
from analysis.features.maximize import Maximized
from analysis.features.parametrizations import Parametrization
from analysis.features.transforms import Transform, robust
from analysis.features.units import as_they_are
from analysis.layers import find_layer
from analysis.network import Network


def caricature(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str | None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    power: float = 1.0,
    steps: int = 512,
    learning_rate: float = 0.05,
    parametrization: str | Parametrization = "fourier",
    transforms: Sequence[Transform] | None = None,
    regularizers: Sequence[Callable[[jax.Array], jax.Array]] = (),
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> Maximized:
    r"""Images that excite a layer as the given ones do, only more.

    .. math:: \max_x \; \langle \hat\Phi(\tau(x)), \hat\Phi(\tau(x_0)) \rangle \cdot \max(0.1, \cos)^{power},
              \qquad \hat\Phi = \Phi / \|\Phi(\tau(x_0))\|

    Both images are seen under the same change of view τ. The inner product asks for more of what is there, the
    power of the cosine for nothing else.

    Args:
      model: any Linen module from images.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1], the x₀.
      layer: whose output Φ is; None: the model's own.
      preprocess, steps, learning_rate, parametrization, transforms, regularizers, key, batch_size: as in
        `analysis.maximize`.
      power: of the cosine between the two activations; 0: the inner product alone.

    Returns:
      Images, their objective without transforms (1 for the given image itself), and its history.

    Raises:
      ValueError: images or settings that are not of the above; a layer that is unknown or ambiguous.

    Example:
      >>> model = nn.Conv(1, (1, 1))
      >>> variables = {"params": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}
      >>> result = caricature(
      ...     model, variables, jnp.full((1, 2, 2, 1), 0.5), None, steps=20, transforms=(), key=jax.random.key(0)
      ... )
      >>> bool(result.activation[0] > 1)
      True
    """
    images = checks.as_images(images)
    if checks.is_concrete(power) and not power >= 0:
        raise ValueError(f"power={power!r}: expected a number that is not negative")
    transforms = robust(*images.shape[1:3]) if transforms is None else transforms
    plan = ascent.plan(parametrization, transforms, regularizers, steps, learning_rate, learning_rate)
    features = find_layer(Network(model, variables, preprocess), images, layer).activation
    keys = checks.keys(key, len(images))

    def batch(images, keys):
        objective = Partial(execution.Static(_resemblance), features, jnp.asarray(images), jnp.float32(power))
        climbed, history = ascent.climb(objective, plan, keys, images.shape[1:])
        return Maximized(climbed, execution.call(objective, climbed), history)

    return execution.in_batches(batch, batch_size, images, keys)


def _resemblance(features, originals, power, images, look=as_they_are):
    """(N,) inner products of two activations times a power of their cosine."""
    ours, theirs = features(look(images)), features(look(originals))
    inner, energy, full = ((a * b).sum((1, 2, 3)) for a, b in ((ours, theirs), (ours, ours), (theirs, theirs)))
    full = jnp.where(full > 0, full, 1)
    cosine = inner / jnp.sqrt(jnp.where(energy > 0, energy, 1) * full)
    return inner / full * jnp.maximum(cosine, 0.1) ** power.astype(inner.dtype)

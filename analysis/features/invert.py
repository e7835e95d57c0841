"""Feature inversion: images rebuilt from the activation of a layer, which show the detail that it keeps.

Reference: Mahendran & Vedaldi, 2014, arXiv:1412.0035.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.features import ascent
from analysis.features.parametrizations import Parametrization, Pixels
from analysis.features.regularizers import AlphaNorm, TotalVariation
from analysis.features.units import as_they_are
from analysis.layers import find_layer
from analysis.network import Network

NATURAL = (TotalVariation(3.0, beta=2.0), AlphaNorm(1e-3, alpha=6.0))
"""Smooth, and rarely black or white."""


class Inversion(NamedTuple):
    """Images rebuilt from activations.

    Attributes:
      images: (N, H, W, C) in [0, 1].
      feature_error: (N,) ‖Φ(x) − Φ(x₀)‖ / ‖Φ(x₀)‖.
      pixel_error: (N,) root of the mean squared difference of pixels, which lie in [0, 1].
      detail: (N,) correlation of the pixels with those of x₀: 1 where all is kept, 0 where nothing is.
      history: (N, steps) the squared feature error before each step.
    """

    images: jax.Array
    feature_error: jax.Array
    pixel_error: jax.Array
    detail: jax.Array
    history: jax.Array


def invert(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str | None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    regularizers: Sequence[Callable[[jax.Array], jax.Array]] = NATURAL,
    steps: int = 400,
    learning_rate: float = 0.05,
    parametrization: str | Parametrization = Pixels(noise=0.02),
    start: Any = None,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> Inversion:
    r"""Images whose features are those of the given ones.

    .. math:: \min_x \; \frac{\|\Phi(x) - \Phi(x_0)\|^2}{\|\Phi(x_0)\|^2} + \sum_r R_r(x)

    The learning rate falls to zero in a straight line. What a layer does not see is left to the regularizers.

    Args:
      model: any Linen module from images.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1], the x₀.
      layer: whose output Φ is, by path or by an ending that only one path has (`analysis.taps`); None: the
        model's own output.
      preprocess: a function from images to the input of the model; None: the images themselves.
      regularizers: images → (N,) penalties: `TotalVariation` (β 1 or 2), `AlphaNorm` (6; L2 is 2), a
        `DenoisingPrior` learned from images, or any such function.
      steps: of gradient descent.
      learning_rate: of Adam at the first step, in the coordinates of the parametrization.
      parametrization: `"pixels"`, `"fourier"`, or an instance (`analysis.features.parametrizations`).
      start: (N, H, W, C) floats in [0, 1] to start at; None: the parametrization's noise.
      key: from `jax.random.key`; image i uses `fold_in(key, i)`.
      batch_size: images held at once; None: all.

    Returns:
      The rebuilt images, their errors and the history.

    Raises:
      ValueError: images or settings that are not of the above; a layer that is unknown or ambiguous.

    Example:
      >>> model = nn.Conv(1, (1, 1))
      >>> variables = {"params": {"kernel": jnp.full((1, 1, 1, 1), 3.0), "bias": jnp.ones(1)}}
      >>> result = invert(model, variables, jnp.full((1, 2, 2, 1), 0.25), None, regularizers=(), key=jax.random.key(0))
      >>> bool(result.pixel_error[0] < 1e-3)
      True
    """
    images = checks.as_images(images)
    plan = ascent.plan(parametrization, (), regularizers, steps, learning_rate, 0.0)
    features = find_layer(Network(model, variables, preprocess), images, layer).activation
    keys = checks.keys(key, len(images))
    start = same_shape("start", start, images)

    def batch(images, keys, start):
        target = execution.call(features, jnp.asarray(images))
        objective = Partial(execution.Static(_match), features, target)
        rebuilt, history = ascent.climb(objective, plan, keys, images.shape[1:] if start is None else start)
        feature_error = jnp.sqrt(-execution.call(objective, rebuilt))
        pixel_error, detail = _compare(rebuilt, jnp.asarray(images))
        return Inversion(rebuilt, feature_error, pixel_error, detail, -history)

    return execution.in_batches(batch, batch_size, images, keys, start)


def inversion_by_depth(
    model: nn.Module,
    variables: Any,
    images: Any,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    layers: Sequence[str] | None = None,
    regularizers: Sequence[Callable[[jax.Array], jax.Array]] = NATURAL,
    steps: int = 400,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> dict[str, Inversion]:
    """Feature inversion at every stage: the deeper, the less detail is kept.

    Args:
      model, variables, images, preprocess, regularizers, steps, key, batch_size: as in `analysis.invert`.
      layers: in the order wanted; None: the model's own children, such as stem, stages and head.

    Returns:
      An `Inversion` for each layer by its name.

    Raises:
      ValueError: as in `analysis.invert`.

    Example:
      >>> layers = [nn.Conv(2, (1, 1), kernel_init=nn.initializers.ones) for _ in range(2)]
      >>> model, images = nn.Sequential(layers), jnp.full((1, 2, 2, 2), 0.25)
      >>> variables = model.init(jax.random.key(0), images)
      >>> [*inversion_by_depth(model, variables, images, regularizers=(), key=jax.random.key(0), steps=2)]
      ['layers_0', 'layers_1']
    """
    images = checks.as_images(images)
    if layers is None:
        layers = [path for path in Network(model, variables, preprocess).layers(images) if "/" not in path]
    return {
        layer: invert(
            model, variables, images, layer, preprocess, regularizers, steps=steps, key=key, batch_size=batch_size
        )
        for layer in layers
    }


def same_shape(name: str, images: Any, others: Any) -> Any:
    """Images checked to be as many and as large as others; None stays None.

    Raises:
      ValueError: they are not.
    """
    if images is None:
        return None
    images = checks.as_images(images)
    if images.shape != others.shape:
        raise ValueError(f"{name} of shape {images.shape}: expected that of the images, {others.shape}")
    return images


@jax.jit
def _compare(rebuilt, images):
    """Error and correlation of pixels, (N,) each."""
    axes = (1, 2, 3)
    ours, theirs = (pixels - pixels.mean(axes, keepdims=True) for pixels in (rebuilt, images))
    energy = (ours**2).sum(axes) * (theirs**2).sum(axes)
    correlation = jnp.where(energy > 0, (ours * theirs).sum(axes) / jnp.sqrt(jnp.where(energy > 0, energy, 1)), 0)
    return jnp.sqrt(((rebuilt - images) ** 2).mean(axes)), correlation


def _match(features, target, images, look=as_they_are):
    """(N,) minus the squared distance over the target's squared norm."""
    energy = (target**2).sum((1, 2, 3))
    # A layer that is silent has nothing to be compared with.
    return -((features(look(images)) - target) ** 2).sum((1, 2, 3)) / jnp.where(energy > 0, energy, 1)

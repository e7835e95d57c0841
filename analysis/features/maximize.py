"""Activation maximisation: images that excite a unit most, made from noise by gradient ascent.

Reference: Erhan et al., 2009, "Visualizing higher-layer features of a deep network"; Olah, Mordvintsev &
Schubert, 2017, doi:10.23915/distill.00007.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from analysis import checks, execution
from analysis.features import ascent
from analysis.features.parametrizations import Fourier, Parametrization, Pixels
from analysis.features.transforms import Transform, robust
from analysis.features.units import Position, channels_of, unit
from analysis.layers import find_layer
from analysis.network import Network

SETTINGS: dict[str, dict[str, Any]] = {
    "robust": {"parametrization": Fourier(), "steps": 512, "learning_rate": 0.05, "transforms": None},
    "plain": {
        "parametrization": Pixels(mean=0.0, std=5.0),
        "steps": 1000,
        "learning_rate": 1e-2,
        "transforms": (),
    },
}
"""Arguments of `maximize` by name: Lucid's but for clouds to start at, which are the default, and plain gradient ascent
on pixels divided by five from uniform noise, which shows how noisy what excites a unit can be."""


class Maximized(NamedTuple):
    """Images that excite units.

    Attributes:
      images: (N, H, W, C) in [0, 1].
      activation: (N,) of each image's unit, without transforms.
      history: (N, steps) the activation before each step, as seen through its transforms.
    """

    images: jax.Array
    activation: jax.Array
    history: jax.Array


def maximize(
    model: nn.Module,
    variables: Any,
    start: Any,
    layer: str | None,
    channels: Any,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    position: Position = None,
    steps: int = 512,
    learning_rate: float = 0.05,
    parametrization: str | Parametrization = "fourier",
    transforms: Sequence[Transform] | None = None,
    regularizers: Sequence[Callable[[jax.Array], jax.Array]] = (),
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> Maximized:
    r"""Images that excite one channel, one neuron or one class each.

    .. math:: \max_x \; \frac{1}{hw} \sum_{ij} A_{ijk}(\tau(x)) - \sum_r R_r(x)

    with τ a random change of view, drawn anew in every step. A unit that is zero behind its rectifier for all that
    it is started at has no gradient there and stays zero: start it at an image that excites it.

    Args:
      model: any Linen module from images.
      variables: its variables.
      start: (H, W, C), the shape of an image, to start at noise; or (N, H, W, C) floats in [0, 1] to start at.
      layer: whose output A is, by path or by an ending that only one path has (`analysis.taps`); None: the
        model's own output, whose channels are the classes.
      channels: k, one an image; one integer serves for all images of `start`.
      preprocess: a function from images to the input of the model; None: the images themselves.
      position: None: the mean over all positions; (row, column) of one neuron in A; `"center"`: the middle one.
      steps: of gradient ascent.
      learning_rate: of Adam, in the coordinates of the parametrization.
      parametrization: `"fourier"`, `"pixels"`, or an instance (`analysis.features.parametrizations`).
      transforms: (key, image) → image functions (`analysis.features.transforms`); None: jitter, scale and
        rotation in proportion to the image; (): none.
      regularizers: images → (N,) penalties (`analysis.features.regularizers`), in units of the activation.
      key: from `jax.random.key`; image i uses `fold_in(key, i)`.
      batch_size: images held at once; None: all.

    Returns:
      Images, activations and history.

    Raises:
      ValueError: images, channels, positions or settings that are not of the above; a layer that is unknown or
        ambiguous.

    Example:
      >>> import jax.numpy as jnp
      >>> model = nn.Conv(2, (1, 1))
      >>> variables = {"params": {"kernel": jnp.array([[[[1.0, -1.0], [-2.0, 3.0]]]]), "bias": jnp.zeros(2)}}
      >>> result = maximize(model, variables, (1, 1, 2), None, [0, 1], **SETTINGS["plain"], key=jax.random.key(0))
      >>> result.images[:, 0, 0].tolist(), result.activation.tolist()
      ([[1.0, 0.0], [0.0, 1.0]], [1.0, 3.0])

    Reference: the loss of a channel is Lucid's, github.com/tensorflow/lucid.
    """
    start, shape = _start(start)
    transforms = robust(*shape[:2]) if transforms is None else transforms
    plan = ascent.plan(parametrization, transforms, regularizers, steps, learning_rate, learning_rate)
    place = find_layer(Network(model, variables, preprocess), jax.ShapeDtypeStruct((1, *shape), np.float32), layer)
    chosen = channels_of(channels, place.channels, None if start is None else len(start))
    unit(place, position, chosen)  # a position outside is refused before anything is computed
    keys = checks.keys(key, len(chosen))

    def batch(channels, keys, start):
        objective = unit(place, position, channels)
        images, history = ascent.climb(objective, plan, keys, shape if start is None else start)
        return Maximized(images, execution.call(objective, images), history)

    return execution.in_batches(batch, batch_size, chosen, keys, start)


def _start(start: Any) -> tuple[Any, tuple[int, ...]]:
    """Images to start at or None, and the shape of one."""
    if isinstance(start, tuple | list) and all(isinstance(size, int | np.integer) for size in start):
        if len(start) != 3 or min(start) < 1:
            raise ValueError(f"start={start!r}: expected the shape (H, W, C) of an image, or images")
        return None, tuple(map(int, start))
    images = checks.as_images(start)
    return images, images.shape[1:]

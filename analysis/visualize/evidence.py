"""Figures behind the pictures: what each depth keeps, and how good a maximised image is."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from analysis import checks, drive, taps
from analysis.visualize.inversion import NATURAL, Inversion, invert
from analysis.visualize.layer import pooled
from analysis.visualize.optimal import maximize
from analysis.visualize.parametrization import Fourier, Pixels
from analysis.visualize.regularizers import TotalVariation
from analysis.visualize.units import output_or_layer

Preprocess = Callable[[jax.Array], jax.Array]


def inversion_by_depth(
    model: nn.Module,
    variables: Any,
    images: Any,
    preprocess: Preprocess | None = None,
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
      >>> import jax.numpy as jnp
      >>> model, images = nn.Sequential([nn.Conv(2, (1, 1)), nn.Conv(1, (1, 1))]), jnp.full((1, 2, 2, 2), 0.25)
      >>> variables = model.init(jax.random.key(0), images)
      >>> [*inversion_by_depth(model, variables, images, key=jax.random.key(0), steps=2)]
      ['layers_0', 'layers_1']
    """
    images = checks.as_images(images)
    if layers is None:
        one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
        inputs = one if preprocess is None else jax.eval_shape(drive.call, drive.as_argument(preprocess), one)
        layers = [path for path in taps.list(model, variables, inputs) if "/" not in path]
    return {
        layer: invert(
            model, variables, images, layer, preprocess, regularizers, steps=steps, key=key, batch_size=batch_size
        )
        for layer in layers
    }


class Beyond(NamedTuple):
    """What a unit can reach, and what data make of it.

    Attributes:
      maximised: (K,) each channel's activation for an image made for it.
      data: (K,) its largest activation over the images of a data set.
      silent: (K,) whether it was zero for noise, which has no gradient: it was started at its best image.
    """

    maximised: np.ndarray
    data: np.ndarray
    silent: np.ndarray


def beyond_data(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str | None,
    channels: Sequence[int],
    preprocess: Preprocess | None = None,
    steps: int = 512,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> Beyond:
    """Whether maximised images excite channels more than all images of a data set.

    Args:
      model, variables, layer, channels, preprocess, steps, key, batch_size: as in `analysis.maximize`.
      images: (N, H, W, C) floats in [0, 1].

    Returns:
      A `Beyond`.

    Raises:
      ValueError: as in `analysis.maximize`.

    Example:
      >>> import jax.numpy as jnp
      >>> model, images = nn.Conv(1, (1, 1)), jnp.full((1, 2, 2, 1), 0.25)
      >>> variables = {"params": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}
      >>> found = beyond_data(model, variables, images, None, [0], steps=50, key=jax.random.key(0))
      >>> found.data.tolist(), bool(found.maximised[0] > 0.4)
      ([0.25], True)
    """
    images = checks.as_images(images)
    chosen = np.asarray(channels)
    seen = pooled(output_or_layer(model, variables, images.shape[1:], layer, preprocess), images)

    def climbed(start):
        return maximize(model, variables, start, layer, chosen, preprocess, steps=steps, key=key, batch_size=batch_size)

    found = climbed(images.shape[1:])
    reached, best = np.asarray(found.activation), seen.argmax(0)[chosen]
    silent = (np.asarray(found.history) == 0).all(1)
    if silent.any():
        reached = np.where(silent, climbed(images[best]).activation, reached)
    return Beyond(reached, seen[best, chosen], silent)


class Variation(NamedTuple):
    """Total variation (β = 1) of images that excite units equally.

    Attributes:
      level: (K,) the activation at which they are compared.
      fourier, pixels: (K,) total variation where each form first reaches it.
    """

    level: np.ndarray
    fourier: np.ndarray
    pixels: np.ndarray


def variation_at_equal_activation(
    model: nn.Module,
    variables: Any,
    shape: tuple[int, int, int],
    layer: str | None,
    channels: Sequence[int],
    preprocess: Preprocess | None = None,
    key: jax.Array | None = None,
    steps: int = 100,
) -> Variation:
    """How rough the images of the Fourier form and of the pixel form are, at equal activation.

    Both start at faint noise about mid-gray and climb without transforms; each channel is compared at the largest
    activation that both reach, where each first reaches it.

    Args:
      model, variables, layer, channels, preprocess, key: as in `analysis.maximize`.
      shape: (H, W, C) of the images.
      steps: of each.

    Returns:
      A `Variation`.

    Raises:
      ValueError: as in `analysis.maximize`.

    Example:
      >>> import jax.numpy as jnp
      >>> model = nn.Conv(1, (1, 1))
      >>> variables = {"params": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}
      >>> found = variation_at_equal_activation(model, variables, (4, 4, 1), None, [0], key=jax.random.key(0), steps=9)
      >>> found.level.shape
      (1,)
    """

    def climbed(form, steps):
        return maximize(
            model, variables, shape, layer, channels, preprocess, transforms=(), key=key, steps=steps, **form
        )

    # The rates are those of Lucid and of the plain setting.
    forms: dict[str, dict[str, Any]] = {
        "fourier": {"parametrization": Fourier(), "learning_rate": 0.05},
        "pixels": {"parametrization": Pixels(noise=0.02), "learning_rate": 0.01},
    }
    histories = {name: np.asarray(climbed(form, steps).history) for name, form in forms.items()}
    level = np.minimum(*(history.max(1) for history in histories.values()))
    roughness = TotalVariation(1.0, beta=1.0)
    result = {}
    for name, form in forms.items():
        # An image is what so many steps made: the history holds what was reached before each.
        first = (histories[name] >= level[:, None]).argmax(1)
        values = {step: roughness(climbed(form, max(1, int(step))).images) for step in np.unique(first)}
        result[name] = np.array([float(values[step][index]) for index, step in enumerate(first)])
    return Variation(level, **result)

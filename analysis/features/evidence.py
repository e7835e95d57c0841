"""Measures of maximised images: against all images of a data set, and of their total variation."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.features import ascent
from analysis.features.maximize import maximize
from analysis.features.parametrizations import Parametrization
from analysis.features.regularizers import TotalVariation
from analysis.features.transforms import Transform
from analysis.features.units import channels_of, unit
from analysis.layers import find_layer, pooled
from analysis.network import Network

Preprocess = Callable[[jax.Array], jax.Array]


class Beyond(NamedTuple):
    """The activation that a unit can reach, and its largest one on data.

    Attributes:
      maximised: (K,) each channel's activation for an image made for it.
      data: (K,) its largest activation over the images of a data set.
      silent: (K,) whether it was zero for what noise became, which has no gradient: it was started at its best image.
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
    """Compare maximised images of channels with the best images of a data set.

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
      >>> result = beyond_data(model, variables, images, None, [0], steps=20, key=jax.random.key(0))
      >>> result.data.tolist(), bool(result.maximised[0] > 0.4)
      ([0.25], True)
    """
    images = checks.as_images(images)
    chosen = np.asarray(channels)
    values = pooled(find_layer(Network(model, variables, preprocess), images, layer), images)

    def climbed(start):
        return maximize(model, variables, start, layer, chosen, preprocess, steps=steps, key=key, batch_size=batch_size)

    reached, best = np.asarray(climbed(images.shape[1:]).activation), values.argmax(0)[chosen]
    silent = reached == 0
    if silent.any():
        reached = np.where(silent, climbed(images[best]).activation, reached)
    return Beyond(reached, values[best, chosen], silent)


class Variation(NamedTuple):
    """Total variation (β = 1, a mean over pixels and channels) of images that excite units equally.

    Attributes:
      level: (K,) the activation at which they are compared.
      fourier, pixels: (K,) the least total variation at which each form reaches it; NaN where it does not.
    """

    level: np.ndarray
    fourier: np.ndarray
    pixels: np.ndarray


RATES = (0.001, 0.003, 0.01, 0.03, 0.1)


def variation_at_equal_activation(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str | None,
    channels: Sequence[int],
    preprocess: Preprocess | None = None,
    transforms: Sequence[Transform] = (),
    key: jax.Array | None = None,
    steps: int = 80,
    rates: Sequence[float] = RATES,
) -> dict[str, Variation]:
    """Compare the total variation of images in the Fourier form and in the pixel form, at equal activation.

    Nothing but the coordinates differs. Both start at the same image, an even mid-gray, so that no noise of a start
    is counted, and climb by Adam for as many steps, once with every learning rate of one grid. After every step the
    image is measured as it is, without transforms: its activation and its total variation. A form's total variation
    at a level is taken where a climb first reaches the level, at the rate of the grid at which that is least, channel
    by channel: each form is given the rate that serves it best. Two levels are looked at: the activation of the best
    image of a data set, and the highest that both forms reach at any rate.

    Args:
      model, variables, layer, channels, preprocess, transforms, key: as in `analysis.maximize`.
      images: (N, H, W, C) floats in [0, 1], the data set.
      steps: of each climb.
      rates: learning rates to try.

    Returns:
      A `Variation` for each level: `"data"` and `"highest"`.

    Raises:
      ValueError: as in `analysis.maximize`.

    Example:
      >>> import jax.numpy as jnp
      >>> model, images = nn.Conv(1, (1, 1)), jnp.full((1, 4, 4, 1), 0.6)
      >>> variables = {"params": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}
      >>> result = variation_at_equal_activation(
      ...     model, variables, images, None, [0], key=jax.random.key(0), steps=4, rates=[0.1]
      ... )
      >>> round(result["data"].level.item(), 3), result["data"].pixels.item()
      (0.6, 0.0)
    """
    images = checks.as_images(images)
    place = find_layer(Network(model, variables, preprocess), images, layer)
    chosen = channels_of(channels, place.channels, None)
    objective, keys = unit(place, None, chosen), checks.keys(key, len(chosen))
    gray = jnp.asarray(np.full((len(chosen), *images.shape[1:]), 0.5, np.float32))
    roughness = TotalVariation(1.0, beta=1.0)

    def climbed(form: Parametrization) -> Climbs:
        plans = [ascent.plan(form, transforms, (), steps, rate, rate) for rate in rates]
        steps_of = [
            [
                (execution.call(objective, shown), execution.call(roughness, shown))
                for shown in ascent.frames(objective, plan, keys, gray)
            ]
            for plan in plans
        ]
        return Climbs(*np.moveaxis(np.array(steps_of), 2, 0))

    climbs = {name: climbed(form) for name, form in ascent.PARAMETRIZATIONS.items()}
    levels = {
        "data": pooled(place, images).max(0)[np.asarray(chosen)],
        "highest": np.minimum(*(one.activation.max((0, 1)) for one in climbs.values())),
    }
    return {
        name: Variation(level, **{form: one.least_variation(level) for form, one in climbs.items()})
        for name, level in levels.items()
    }


class Climbs(NamedTuple):
    """Activation and total variation after each step at each rate, (rates, steps, K)."""

    activation: np.ndarray
    variation: np.ndarray

    def least_variation(self, level: np.ndarray) -> np.ndarray:
        """(K,) over rates, where each first reaches the level; NaN where none does."""
        reached = self.activation >= level
        first = np.take_along_axis(self.variation, reached.argmax(1)[:, None], 1)[:, 0]
        least = np.where(reached.any(1), first, np.inf).min(0)
        return np.where(np.isfinite(least), least, np.nan)

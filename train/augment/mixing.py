r"""Mixtures of two examples, whose losses are mixed in the same shares.

.. math:: \tilde x = b ⊙ x_i + (1 - b) ⊙ x_j, \qquad L = λ L(y_i) + (1 - λ) L(y_j)

b is a map of the image, and λ its mean. The partner of an example is the next one of the batch, whose order is random.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from train.augment import examples
from train.augment.geometry import Geometry
from train.batches import Batch

MIXUP_ALPHA = 0.2
"""Of the Beta distribution of λ, as for ImageNet in the paper."""

Mixture = Callable[[jax.Array, tuple[int, int]], jax.Array]
"""`(key, (H, W))` to the (H, W) map b."""


def _mixup(key: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """One share for all pixels, from Beta(α, α).

    Reference: Zhang et al., 2017, arXiv:1710.09412.
    """
    places, quantiles = _quantiles()
    return jnp.full(sides, jnp.interp(jax.random.uniform(key), places, quantiles), jnp.float32)


@functools.cache
def _quantiles() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and quantiles of Beta(α, α); sampling from them compiles much faster than `jax.random.beta`."""
    from scipy import special  # slow to import

    places = np.linspace(0, 1, 1025)
    return places.astype(np.float32), special.betaincinv(MIXUP_ALPHA, MIXUP_ALPHA, places).astype(np.float32)


def _cutmix(key: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """0 in a box of uniformly distributed area, whose centre is any pixel and whose part outside is cut off.

    Reference: Yun et al., 2019, arXiv:1905.04899.
    """
    area_key, centre_key = jax.random.split(key)
    half = jnp.sqrt(jax.random.uniform(area_key)) / 2
    far = [
        jnp.abs((jnp.arange(side, dtype=jnp.float32) + 0.5) / side - middle) > half
        for side, middle in zip(sides, jax.random.uniform(centre_key, (2,)), strict=True)
    ]
    return (far[0][:, None] | far[1][None, :]).astype(jnp.float32)


MIXTURES: dict[str, Mixture] = {"mixup": _mixup, "cutmix": _cutmix}
"""By name, as typed after `--augment`."""


def mix(mixtures: Sequence[Mixture], key: jax.Array, batch: Batch, geometry: Geometry) -> Batch:
    """A batch of mixtures: each example with the next, by one of some mixtures at random.

    The first target of an example is that with the larger share. In a mask each pixel has the target of the image
    that it shows more of, so that CutMix gives plain masks.

    Args:
      mixtures: of `MIXTURES`, at least one.
      key: from `jax.random.key`.
      batch: of single examples.
      geometry: dependence of the targets on place.

    Returns:
      A `Batch` with `other` and `share`.
    """
    count, *sides = batch.images.shape[:3]

    def draw(own):
        choice_key, map_key = jax.random.split(own)
        maps = jnp.stack([mixture(map_key, (sides[0], sides[1])) for mixture in mixtures])
        return maps[jax.random.randint(choice_key, (), 0, len(mixtures))]

    def partner(values):
        return jnp.roll(jnp.asarray(values), -1, axis=0)

    first = jax.vmap(draw)(examples.keys(key, count))  # (N, H, W), the share of the example itself
    images = batch.images * first[..., None] + partner(batch.images) * (1 - first[..., None])
    # The part that decides on a target: a pixel, or the whole image.
    parts = first if geometry == "mask" else first.mean((1, 2))
    own = (parts >= 0.5).reshape(*parts.shape, *[1] * (batch.targets.ndim - parts.ndim))
    targets, others = jnp.asarray(batch.targets), partner(batch.targets)
    return batch._replace(
        images=images,
        targets=jnp.where(own, targets, others),
        other=jnp.where(own, others, targets),
        share=jnp.maximum(parts, 1 - parts).reshape(count, -1).mean(1),
    )

"""Augmentation: random changes of training images and of the targets that depend on them, by name.

Motions (`geometry`) move masks and positions along with the image, recolourings (`colour`) leave the targets, and
mixtures (`mixing`) join two examples with a share of the loss for each.
"""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from train.augment.colour import FITTED, RECOLOURINGS, Colours
from train.augment.geometry import MOTIONS, Geometry, move
from train.augment.mixing import MIXTURES, mix
from train.batches import Batch
from train.datasets.stream import Stream

__all__ = [
    "AUGMENTATIONS",
    "MIXTURES",
    "MOTIONS",
    "RECOLOURINGS",
    "Augmentation",
    "Colours",
    "Geometry",
    "chain",
    "fit",
]

Augmentation = Callable[[jax.Array, Batch], Batch]
"""A random change of a batch on the device, from a key."""

AUGMENTATIONS = (*MOTIONS, *RECOLOURINGS, *MIXTURES)
"""All names."""


def fit(names: Sequence[str], geometry: Geometry, images: np.ndarray | Stream) -> Augmentation:
    """`chain` with the facts about the training images that its augmentations need.

    Args:
      names: of `AUGMENTATIONS`.
      geometry: dependence of the targets on place, as in `chain`.
      images: (N, H, W, C) of the training split, in [0, 1].

    Returns:
      A function of a key and a `Batch`.

    Example:
      >>> augment = fit(["pca"], "none", np.ones((4, 8, 8, 3), np.float32))
    """
    return chain(names, geometry, Colours.of(images) if set(names) & FITTED else None)


def chain(names: Sequence[str], geometry: Geometry = "none", colours: Colours | None = None) -> Augmentation:
    """The named augmentations in their order, each with its own key; without names: the identity.

    Mixtures come last. Of several, each example takes one at random.

    Args:
      names: of `AUGMENTATIONS`.
      geometry: dependence of the targets on place: `"none"`, `"mask"` for (N, H, W) classes of pixels, or
        `"position"` for (N, 2) row and column as fractions of the sides.
      colours: facts about the training images, for those of `colour.FITTED`.

    Returns:
      A function of a key and a `Batch`, to be called inside a compiled step.

    Example:
      >>> batch = Batch(np.ones((2, 8, 8, 1), np.float32), np.zeros(2, np.int32), np.ones(2, np.float32))
      >>> chain(["shift", "flip"])(jax.random.key(0), batch).images.shape
      (2, 8, 8, 1)
    """
    mixtures = [MIXTURES[name] for name in names if name in MIXTURES]

    def augment(key: jax.Array, batch: Batch) -> Batch:
        for index, name in enumerate(names):
            own = jax.random.fold_in(key, index)
            if name in MOTIONS:
                batch = move(MOTIONS[name], own, batch, geometry)
            elif name in RECOLOURINGS:
                batch = batch._replace(images=RECOLOURINGS[name](own, batch.images, colours))
        return mix(mixtures, jax.random.fold_in(key, len(names)), batch, geometry) if mixtures else batch

    return augment

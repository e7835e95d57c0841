"""Augmentation: random changes of images that keep their class."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Augmentation = Callable[[jax.Array, jax.Array], jax.Array]


def shift(key: jax.Array, images: jax.Array) -> jax.Array:
    """Shift each image by up to an eighth of its sides; the border is black.

    An eighth is one of the eight pixels of an original digit, and the four of 32 that are customary for CIFAR.

    Args:
      key: from `jax.random.key`.
      images: (N, H, W, C).

    Returns:
      (N, H, W, C).

    Example:
      >>> shift(jax.random.key(0), jnp.ones((2, 8, 8, 1))).shape
      (2, 8, 8, 1)
    """
    count, *shape = images.shape
    reach = [max(1, round(side / 8)) for side in shape[:2]]
    padded = jnp.pad(images, ((0, 0), *((r, r) for r in reach), (0, 0)))
    corners = jnp.stack(
        [
            jax.random.randint(part, (count,), 0, 2 * r + 1)
            for part, r in zip(jax.random.split(key), reach, strict=True)
        ],
        axis=1,
    )

    def crop(image, corner):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], jnp.zeros_like(corner[0])), shape)

    return jax.vmap(crop)(padded, corners)


def flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Mirror half of the images from left to right.

    Args:
      key: from `jax.random.key`.
      images: (N, H, W, C).

    Returns:
      (N, H, W, C).

    Example:
      >>> flip(jax.random.key(0), jnp.ones((2, 8, 8, 1))).shape
      (2, 8, 8, 1)
    """
    mirrored = jax.random.bernoulli(key, shape=(images.shape[0], 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


AUGMENTATIONS: dict[str, Augmentation] = {"shift": shift, "flip": flip}


def chain(names: Sequence[str]) -> Augmentation:
    """The named augmentations in their order, each with its own key; without names: the identity.

    Example:
      >>> chain(["shift", "flip"])(jax.random.key(0), jnp.ones((2, 8, 8, 1))).shape
      (2, 8, 8, 1)
    """
    changes = [AUGMENTATIONS[name] for name in names]

    def augment(key, images):
        for index, change in enumerate(changes):
            images = change(jax.random.fold_in(key, index), images)
        return images

    return augment

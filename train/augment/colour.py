"""Random changes of colours and pixels that leave every target as it is."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from train.augment import examples
from train.datasets.description import Moments
from train.datasets.stream import Stream, chunks

JITTER = 0.4
"""Largest relative change of brightness, contrast and saturation."""
PCA_DEVIATION = 0.1
"""Standard deviation of the multiples of the principal components. Reference: Krizhevsky et al., 2012."""
CUTOUT = 0.5
"""Side of the square that is cut out, as a share of the image's: 16 of 32 pixels, as for CIFAR-10."""
NOISE = 0.05
"""Standard deviation of the noise."""
LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray. Reference: ITU-R BT.601."""


class Colours(NamedTuple):
    """Facts about the pixels of the training images.

    Attributes:
      mean: (C,) float32, of each channel.
      components: (C, C) float32; each row is an eigenvector of the covariance of the channels, times its eigenvalue.
    """

    mean: np.ndarray
    components: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray | Stream) -> "Colours":
        """The facts about (N, H, W, C) images in [0, 1].

        Example:
          >>> Colours.of(np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 2, 2, 3)).components.shape
          (3, 3)
        """
        moments, channels = Moments(), images.shape[-1]
        for some in chunks(images):
            moments.add(some)
        covariance = np.zeros((channels, channels))
        for some in chunks(images):
            centred = some.reshape(-1, channels) - moments.mean
            covariance += centred.T @ centred
        values, vectors = np.linalg.eigh(covariance * (channels / images.size))
        return cls(moments.mean.astype(np.float32), (vectors * values).T.astype(np.float32))


Recolouring = Callable[[jax.Array, jax.Array, Colours | None], jax.Array]
"""`(key, images, colours)` to images of the same shape, in [0, 1]."""


def _each(one: Callable[[jax.Array, jax.Array, Colours | None], jax.Array]) -> Recolouring:
    """A recolouring from the function that changes one image with the key of its example."""

    def change(key, images, colours):
        changed = jax.vmap(lambda own, image: one(own, image, colours))(examples.keys(key, len(images)), images)
        return jnp.clip(changed, 0, 1)

    return change


def _required(name: str, colours: Colours | None) -> Colours:
    if colours is None:
        raise ValueError(f"augment={name!r}: expected facts about the training images, augment.Colours.of(images)")
    return colours


def _jitter(key: jax.Array, image: jax.Array, colours: Colours | None) -> jax.Array:
    """Brightness, then contrast, then saturation, each by a factor within `JITTER` of 1.

    An image without three channels has no saturation.
    """
    del colours
    brightness, contrast, saturation = jax.random.uniform(key, (3,), minval=1 - JITTER, maxval=1 + JITTER)
    image = jnp.clip(image * brightness, 0, 1)
    level = jnp.mean(image)
    image = jnp.clip(level + (image - level) * contrast, 0, 1)
    if image.shape[-1] != len(LUMINANCE):
        return image
    gray = (image @ jnp.array(LUMINANCE, image.dtype))[..., None]
    return gray + (image - gray) * saturation


def _pca(key: jax.Array, image: jax.Array, colours: Colours | None) -> jax.Array:
    r"""A random multiple of the principal components of colour, the same for all pixels of an image.

    .. math:: x ← x + \sum_k α_k λ_k p_k, \qquad α_k ∼ N(0, 0.1^2)

    Eigenvalues λ and eigenvectors p are those of the covariance of the training pixels in [0, 1], and λ is not the
    standard deviation √λ that some programs take. In units of 0 to 255, as the paper can be read too, the changes
    would be 255 times as large.

    Reference: Krizhevsky et al., 2012, "ImageNet classification with deep convolutional neural networks", 4.1.
    """
    components = jnp.asarray(_required("pca", colours).components)
    move = PCA_DEVIATION * jax.random.normal(key, (len(components),)) @ components
    return image + move[None, None]


def _cutout(key: jax.Array, image: jax.Array, colours: Colours | None) -> jax.Array:
    """A square in the mean colour, whose centre is any pixel, so that it may reach over the border.

    Reference: DeVries & Taylor, 2017, arXiv:1708.04552.
    """
    centre = jax.random.uniform(key, (2,))
    sides = image.shape[:2]
    far = [
        jnp.abs((jnp.arange(side, dtype=jnp.float32) + 0.5) / side - middle) > CUTOUT / 2
        for side, middle in zip(sides, centre, strict=True)
    ]
    fill = jnp.asarray(_required("cutout", colours).mean)
    return jnp.where((far[0][:, None] | far[1][None, :])[..., None], image, fill[None, None])


def _noise(key: jax.Array, image: jax.Array, colours: Colours | None) -> jax.Array:
    """Normal noise, independent in every pixel and channel."""
    del colours
    return image + NOISE * jax.random.normal(key, image.shape)


FITTED = {"pca", "cutout"}
"""Names of those that need facts about the training images."""

RECOLOURINGS: dict[str, Recolouring] = {
    "colour": _each(_jitter),
    "pca": _each(_pca),
    "cutout": _each(_cutout),
    "noise": _each(_noise),
}
"""By name, as typed after `--augment`."""

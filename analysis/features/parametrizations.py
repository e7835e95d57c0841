"""In which coordinates an image is optimised; the same gradient moves it differently in each.

A parametrization is small pure functions between an image and its coordinates. Each takes one image;
`jax.vmap` gives a batch. Write another by filling in the methods.

Reference: Olah, Mordvintsev & Schubert, 2017, doi:10.23915/distill.00007.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

COLOR = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
"""A square root of the covariance of the colours of natural photographs, as Lucid has it."""


@dataclasses.dataclass(frozen=True)
class Parametrization:
    """Coordinates of an image: arrays of its shape."""

    def start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Coordinates of a random image."""
        raise NotImplementedError

    def encode(self, image: jax.Array) -> jax.Array:
        """The coordinates of an image in [0, 1]."""
        raise NotImplementedError

    def decode(self, at: jax.Array) -> jax.Array:
        """The image at some coordinates."""
        raise NotImplementedError

    def project(self, at: jax.Array) -> jax.Array:
        """The nearest coordinates of an image in [0, 1]; those themselves where every image is in [0, 1]."""
        return at


@dataclasses.dataclass(frozen=True)
class Pixels(Parametrization):
    """The pixels themselves, normalised, and clipped to [0, 1] after every step.

    Attributes:
      mean, std: of the normalisation, in units of pixel values; a step in coordinates is `std` times
        as long in pixels.
      noise: a random image is uniform in an interval this wide about 0.5.

    Raises:
      ValueError: a width outside [0, 1], or a std that is not positive.

    Example:
      >>> Pixels(mean=0.25, std=0.5).encode(jnp.array([0.25, 0.75])).tolist()
      [0.0, 1.0]
    """

    mean: float = 0.0
    std: float = 1.0
    noise: float = 1.0

    def __post_init__(self):
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise={self.noise!r}: expected the width of an interval of pixel values, in [0, 1]")
        if not 0 < self.std < math.inf:
            raise ValueError(f"std={self.std!r}: expected a positive number")

    def start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Noise about mid-gray."""
        return self.encode(0.5 + self.noise * (jax.random.uniform(key, shape, dtype) - 0.5))

    def encode(self, image: jax.Array) -> jax.Array:
        """Normalise."""
        return (image - self.mean) / self.std

    def decode(self, at: jax.Array) -> jax.Array:
        """Undo the normalisation."""
        return self.mean + self.std * at

    def project(self, at: jax.Array) -> jax.Array:
        """Clip the pixels to [0, 1]."""
        return self.encode(jnp.clip(self.decode(at), 0, 1))


@dataclasses.dataclass(frozen=True)
class Fourier(Parametrization):
    r"""Amplitudes of waves, so scaled that a natural image has all of them equally large.

    .. math:: x = \sigma\big( C \, H (z_f / \max(f, 1 / \max(h, w))^{decay}) \big)

    with H the orthonormal Hartley transform (the real form of Fourier's: every wave is a cosine plus a
    sine, and there are as many as pixels), f the frequency of each in cycles per pixel, C a map from
    decorrelated to natural colours, and σ the logistic function, which keeps every pixel in (0, 1).
    A step of Adam moves all coordinates alike, so low frequencies, which dominate natural images, move
    more than in pixels, and high ones less.

    Attributes:
      decay: how fast the amplitudes fall with frequency; 1 is that of natural images, 0 is white.
      noise: standard deviation of the coordinates of a random image. Near an even gray, units behind many
        rectifiers are silent or flat, and Lucid's 0.01 leaves some of them there.
      decorrelate: whether the colours of an image of three channels are decorrelated.

    Example:
      >>> image = jax.random.uniform(jax.random.key(0), (5, 6, 3))
      >>> bool(jnp.allclose(Fourier().decode(Fourier().encode(image)), image, atol=1e-4))
      True
    """

    decay: float = 1.0
    noise: float = 1.0
    decorrelate: bool = True

    def start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Noise in the coordinates: clouds about mid-gray."""
        return self.noise * jax.random.normal(key, shape, dtype)

    def encode(self, image: jax.Array) -> jax.Array:
        """Inverse of `decode`; pixels nearer than 0.001 to 0 or 1 are moved there."""
        limit = 1e-3
        image = jnp.clip(image, limit, 1 - limit)
        values = _colored(jnp.log(image / (1 - image)), self._color(image.shape, inverse=True))
        return hartley(values) / self.scale(image.shape, image.dtype)

    def decode(self, at: jax.Array) -> jax.Array:
        """Waves summed, colours correlated, brought into (0, 1)."""
        return jax.nn.sigmoid(_colored(hartley(at * self.scale(at.shape, at.dtype)), self._color(at.shape)))

    def scale(self, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """(H, W, 1) what each coordinate is multiplied by before the waves are summed.

        Example:
          >>> Fourier().scale((4, 4, 1))[..., 0].tolist()[0]
          [1.0, 1.0, 0.5, 1.0]
        """
        height, width = shape[:2]
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
        lowest = 1 / max(height, width)
        quarter = 4.0  # Lucid's, so that its learning rates hold.
        return jnp.asarray(np.maximum(frequency, lowest) ** -self.decay / quarter, dtype)[..., np.newaxis]

    def _color(self, shape: tuple[int, ...], inverse: bool = False) -> np.ndarray | None:
        if not self.decorrelate or shape[-1] != 3:
            return None
        matrix = COLOR / np.linalg.norm(COLOR, axis=0).max()
        return np.linalg.inv(matrix) if inverse else matrix


def hartley(x: jax.Array) -> jax.Array:
    r"""The orthonormal Hartley transform over the first two axes, its own inverse.

    .. math:: H(x)_f = \frac{1}{\sqrt{hw}} \sum_p x_p (\cos 2\pi f p + \sin 2\pi f p)

    Args:
      x: (H, W, C) floats.

    Returns:
      (H, W, C), real.

    Example:
      >>> hartley(jnp.ones((2, 2, 1)))[..., 0].tolist()
      [[2.0, 0.0], [0.0, 0.0]]
    """
    spectrum = jnp.fft.fft2(x.astype(jnp.promote_types(x.dtype, jnp.float32)), axes=(0, 1), norm="ortho")
    return (spectrum.real - spectrum.imag).astype(x.dtype)


def _colored(image: jax.Array, matrix: np.ndarray | None) -> jax.Array:
    if matrix is None:
        return image
    return jnp.einsum("hwc,kc->hwk", image, jnp.asarray(matrix, image.dtype), precision="highest")

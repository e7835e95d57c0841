"""Preprocessing: images in [0, 1] to the numbers that a network was trained on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from convzoo.checks import integer, is_number


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """Normalization by channel; called on images it gives (image − mean) / std. Resizing is `resize`.

    Attributes:
      mean, std: one number a channel, for images in [0, 1]; one number serves all channels.
      size: height and width in pixels that `resize` gives, or None to leave sizes alone.
      interpolation: a method of `jax.image.resize`.
      shorter_side: pixels of the shorter side before the centre is cropped to `size`, so that the
        image keeps its proportions; None: the whole image is squeezed to `size`.

    Raises:
      ValueError: a mean that is not finite, a standard deviation that is not positive and finite, lengths that
        differ, or sizes that are not positive integers.

    Example:
      >>> Preprocess(mean=(0.5,), std=(0.25,))(jnp.ones((1, 2, 2, 1)))[0, 0, 0, 0].item()
      2.0
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: int | None = None
    interpolation: str = "bilinear"
    shorter_side: int | None = None

    def __post_init__(self):
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"mean={self.mean} and std={self.std}: expected one number a channel in each")
        if not all(map(is_number, self.mean)):
            raise ValueError(f"mean={self.mean}: every entry must be a finite number")
        if not all(is_number(entry, 0, above=True) for entry in self.std):
            raise ValueError(f"std={self.std}: every entry must be positive and finite")
        for name, pixels in (("size", self.size), ("shorter_side", self.shorter_side)):
            if pixels is not None:
                integer(name, pixels)
        if self.shorter_side and self.size and self.shorter_side < self.size:
            raise ValueError(
                f"shorter_side={self.shorter_side} leaves no {self.size} pixels to crop: use at least that"
            )

    def __call__(self, images: jax.Array) -> jax.Array:
        """Normalize (N, H, W, C) images, floats in [0, 1].

        Raises:
          ValueError: bytes or other integers, or another number of channels.
        """
        if not jnp.issubdtype(images.dtype, jnp.floating):
            raise ValueError(f"images of type {images.dtype}: expected floats in [0, 1]; divide bytes by 255")
        if len(self.mean) not in (1, images.shape[-1]):
            raise ValueError(f"a preprocessing of {len(self.mean)} channels met images of shape {images.shape}")
        shape = (1,) * (images.ndim - 1) + (-1,)
        mean = np.asarray(self.mean, np.float32).reshape(shape)
        std = np.asarray(self.std, np.float32).reshape(shape)
        return (images - mean.astype(images.dtype)) / std.astype(images.dtype)

    def resize(self, images: jax.Array) -> jax.Array:
        """Resize (N, H, W, C) images to this preprocessing's size, with antialiasing where they shrink."""
        height, width = images.shape[1:3]
        if self.shorter_side is None:
            size = self.size
            return _resize(images, (size, size), self.interpolation) if size else jnp.asarray(images)
        shorter = min(height, width)
        sizes = (height * self.shorter_side // shorter, width * self.shorter_side // shorter)
        if self.size is None:
            return _resize(images, sizes, self.interpolation)
        corner = [round((side - self.size) / 2) for side in sizes]
        return _resized_crop(images, sizes, corner, self.size, self.interpolation)


def _resize(images: jax.Array, sizes: tuple[int, int], interpolation: str) -> jax.Array:
    if images.shape[1:3] == sizes:
        return jnp.asarray(images)
    return jax.image.resize(images, (images.shape[0], *sizes, images.shape[3]), interpolation)


def _resized_crop(
    images: jax.Array, sizes: tuple[int, int], corner: list[int], size: int, interpolation: str
) -> jax.Array:
    """A square of the resized images; what lies outside of it is not computed: a long picture is not made longer."""
    top, left = corner
    if images.shape[1:3] == sizes or interpolation == "nearest":
        return _resize(images, sizes, interpolation)[:, top : top + size, left : left + size]
    shape = (images.shape[0], size, size, images.shape[3])
    scale = jnp.array([new / old for new, old in zip(sizes, images.shape[1:3], strict=True)], jnp.float32)
    return jax.image.scale_and_translate(images, shape, (1, 2), scale, -jnp.array(corner, jnp.float32), interpolation)

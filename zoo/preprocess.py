"""What stands between an image in [0, 1] and the numbers a network was trained on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """Normalization by channel; called on images it gives (image − mean) / std. Resizing is `resize`.

    Attributes:
      mean, std: one number a channel, for images in [0, 1]; one number serves all channels.
      size: height and width in pixels that `resize` gives, or None to leave sizes alone.
      interpolation: a method of `jax.image.resize`.

    Raises:
      ValueError: a standard deviation that is not positive, or lengths that differ.

    Example:
      >>> Preprocess(mean=(0.5,), std=(0.25,))(jnp.ones((1, 2, 2, 1)))[0, 0, 0, 0].item()
      2.0
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: int | None = None
    interpolation: str = "bilinear"

    def __post_init__(self):
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"mean={self.mean} and std={self.std}: expected one number a channel in each")
        if min(self.std) <= 0:
            raise ValueError(f"std={self.std}: every entry must be positive")

    def __call__(self, images: jax.Array) -> jax.Array:
        """Normalize (N, H, W, C) images in [0, 1]."""
        if len(self.mean) not in (1, images.shape[-1]):
            raise ValueError(f"a preprocessing of {len(self.mean)} channels met images of shape {images.shape}")
        shape = (1,) * (images.ndim - 1) + (-1,)
        mean = np.asarray(self.mean, np.float32).reshape(shape)
        std = np.asarray(self.std, np.float32).reshape(shape)
        return (images - mean.astype(images.dtype)) / std.astype(images.dtype)

    def resize(self, images: jax.Array) -> jax.Array:
        """(N, H, W, C) images at this preprocessing's size, antialiased where they shrink."""
        if self.size is None or images.shape[1:3] == (self.size, self.size):
            return jnp.asarray(images)
        return jax.image.resize(images, (images.shape[0], self.size, self.size, images.shape[3]), self.interpolation)

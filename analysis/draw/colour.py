"""Numbers as colours: images, and maps over them."""

import matplotlib as mpl
import numpy as np
from numpy.typing import ArrayLike

from analysis.draw.style import AGAINST, FOR


def rgb(images: ArrayLike) -> np.ndarray:
    """Images of one or three channels as (N, H, W, 3) in [0, 1].

    Raises:
      ValueError: another shape, or bytes.
    """
    images = np.asarray(images)
    if images.dtype.kind in "ui":
        raise ValueError(f"images of type {images.dtype}: expected floats in [0, 1]; divide bytes by 255")
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images of shape {images.shape}: expected (N, H, W, C) with 1 or 3 channels")
    return np.broadcast_to(np.clip(images.astype(np.float64), 0, 1), (*images.shape[:3], 3))


def limit(maps: ArrayLike, percentile: float = 99.5) -> float:
    """The magnitude at which the colours of maps saturate: a percentile over all of them, so they can be compared.

    Example:
      >>> limit(np.array([[[-4.0, 1.0]]]), percentile=100)
      4.0
    """
    magnitudes = abs(np.asarray(maps, np.float64))
    return float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0


def blend(images: ArrayLike, maps: ArrayLike, saturation: float, signed: bool) -> np.ndarray:
    r"""Heat maps over grey images.

    .. math:: (1 - \alpha)\,\text{grey} + \alpha\,\text{colour}(t), \qquad
              t = \operatorname{clip}(m / s, -1, 1), \quad \alpha = |t|^{0.7}

    Args:
      images: (N, H, W, C) in [0, 1].
      maps: (N, H, W), in any unit.
      saturation: the magnitude s that gets the full colour; see `limit`.
      signed: orange above zero and blue below, or one sequence from dark to bright for magnitudes.

    Returns:
      (N, H, W, 3) in [0, 1].

    Raises:
      ValueError: maps that do not have the images' shape.

    Example:
      >>> blend(np.zeros((1, 2, 2, 1)), np.ones((1, 2, 2)), saturation=1, signed=True)[0, 0, 0]
      array([1.  , 0.42, 0.1 ])
    """
    shares = np.clip(np.asarray(maps, np.float64) / saturation, -1, 1)[..., np.newaxis]
    if shares.shape != (*np.shape(images)[:3], 1):
        raise ValueError(f"maps of shape {np.shape(maps)} for images of shape {np.shape(images)}: expected (N, H, W)")
    colour, alpha = tint(shares[..., 0], signed)
    return (1 - alpha) * ground(images) + alpha * colour


def tint(shares: ArrayLike, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Colours and opacities that `blend` lays over grey, for values as shares of the saturation.

    Args:
      shares: (...) in [−1, 1].
      signed: as in `blend`.

    Returns:
      (..., 3) colours and (..., 1) opacities, in [0, 1].

    Example:
      >>> tint([0.0, 1.0], signed=True)[1].ravel()
      array([0., 1.])
    """
    shares = np.asarray(shares, np.float64)[..., np.newaxis]
    if signed:
        colour = np.where(shares < 0, AGAINST, FOR)
    else:
        colour = mpl.colormaps["inferno"](0.3 + 0.65 * abs(shares[..., 0]))[..., :3]
    return colour, abs(shares) ** 0.7


def ground(images: ArrayLike) -> np.ndarray:
    """(N, H, W, 1) the dimmed grey that `blend` lays colours over."""
    return 0.12 + 0.6 * rgb(images).mean(-1, keepdims=True)


def ramp(signed: bool, length: int = 128) -> np.ndarray:
    """(1, length, 3) colour bar of `blend` over mid-grey, from −s or 0 to s."""
    shares = np.linspace(-1 if signed else 0, 1, length)
    return blend(np.full((1, 1, length, 1), 0.5), shares[np.newaxis, np.newaxis], 1.0, signed)[0]

"""Pictures of any size and mode as square arrays of gray or RGB."""

import numpy as np
from PIL import Image, ImageOps

from convzoo import pictures
from convzoo.pictures import as_floats


def decode(content: bytes, size: int, keep_proportions: bool = False) -> tuple[np.ndarray, bool]:
    """The bytes of a picture's file as a square array, as in `square`, and whether the file holds further pictures.

    Raises:
      convzoo.pictures.UnreadableError: with the decoder's reason.
    """
    image, several = pictures.decode(content)
    return _fitted(image, size, keep_proportions), several


def square(image: Image.Image, size: int, keep_proportions: bool = False) -> np.ndarray:
    """A picture as a square array by the rules of `convzoo.pictures`, antialiased where it shrinks.

    Args:
      image: a picture.
      size: height and width in pixels.
      keep_proportions: resize until the shorter side fits, and crop the centre; else squeeze or stretch.

    Returns:
      (size, size, 1 or 3) uint8; of a picture of 16 bits or of floats float32 in [0, 1], so that none of them is lost.

    Raises:
      ValueError: a mode of more than 16 bits a channel, or floats outside [0, 1].

    Example:
      >>> square(Image.new("LA", (20, 10), (0, 0)), 4)[0, 0].tolist()
      [255]
    """
    return _fitted(pictures.plain(image), size, keep_proportions)


def pixels(image: Image.Image, size: int, keep_proportions: bool = False) -> np.ndarray:
    """`square` as floats.

    Args:
      image: a picture.
      size: height and width in pixels.
      keep_proportions: as in `square`.

    Returns:
      (size, size, 1 or 3) float32 in [0, 1].

    Example:
      >>> pixels(Image.new("L", (20, 10), 255), 4)[0, 0].tolist()
      [1.0]
    """
    return as_floats(square(image, size, keep_proportions))


def resize(image: np.ndarray, size: int, keep_proportions: bool = False) -> np.ndarray:
    """Floats of any size as `square` resizes a picture, but for its rounding to bytes.

    Args:
      image: (H, W, C) in [0, 1].
      size: height and width in pixels.
      keep_proportions: as in `square`.

    Returns:
      (size, size, C) float32 in [0, 1].

    Example:
      >>> resize(np.ones((3, 5, 2)), 4).shape
      (4, 4, 2)
    """
    planes = [Image.fromarray(np.ascontiguousarray(plane, np.float32)) for plane in np.moveaxis(image, -1, 0)]
    return np.concatenate([_fitted(plane, size, keep_proportions) for plane in planes], axis=2)


def _fitted(image: Image.Image, size: int, keep_proportions: bool) -> np.ndarray:
    fit = ImageOps.fit if keep_proportions else Image.Image.resize
    array = np.asarray(fit(image, (size, size), Image.Resampling.BILINEAR)).reshape(size, size, -1)
    return np.clip(array, 0, 1) if image.mode == "F" else array

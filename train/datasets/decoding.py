"""Pictures of any size and mode as square arrays of gray or RGB."""

import io

import numpy as np
from PIL import Image, ImageOps

PAPER = "white"
"""Colour behind transparent pixels."""
DEEPEST = 65535
"""White in a picture of 16 bits."""
LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)
"""Weights of red, green and blue in gray. Reference: ITU-R BT.601."""


class UnreadableError(ValueError):
    """Bytes that are no picture, or one of a mode that has no rule."""


def decode(content: bytes, size: int, keep_proportions: bool = False) -> np.ndarray:
    """The bytes of a picture's file as a square array, as in `square`.

    Raises:
      UnreadableError: with the decoder's reason.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            return square(image, size, keep_proportions)
    except Exception as error:  # Decoders raise anything on damaged bytes: OSError, SyntaxError, struct.error, …
        text = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else " ".join(str(error).split())
        raise UnreadableError(text or type(error).__name__) from None


def square(image: Image.Image, size: int, keep_proportions: bool = False) -> np.ndarray:
    """A picture as a square array, antialiased where it shrinks.

    It is turned as its EXIF orientation says. Transparent pixels show white paper. Gray pictures (modes `L`, `LA` and
    16 bits) stay gray; palettes, CMYK and all others become RGB. Of a sequence of frames, the first is taken.

    Args:
      image: a picture.
      size: height and width in pixels.
      keep_proportions: resize until the shorter side fits, and crop the centre; else squeeze or stretch.

    Returns:
      (size, size, 1 or 3) uint8; of a picture of 16 bits float32 in [0, 1], so that none of them is lost.

    Raises:
      ValueError: a mode of more than 16 bits a channel.

    Example:
      >>> square(Image.new("LA", (20, 10), (0, 0)), 4)[0, 0].tolist()
      [255]
    """
    image = _plain(ImageOps.exif_transpose(image))
    fit = ImageOps.fit if keep_proportions else Image.Image.resize
    array = np.asarray(fit(image, (size, size), Image.Resampling.BILINEAR)).reshape(size, size, -1)
    return np.clip(array, 0, 1) if image.mode == "F" else array


def as_floats(array: np.ndarray, channels: int | None = None) -> np.ndarray:
    """Bytes as float32 in [0, 1]; floats stay as they are.

    Args:
      array: of `square`.
      channels: gray is repeated to 3, and colours become the gray of their luminance for 1; None: as they are.

    Returns:
      (size, size, channels) float32.
    """
    floats = array.astype(np.float32) / 255 if array.dtype == np.uint8 else array
    if channels == 1 and floats.shape[2] == 3:
        return np.clip(floats @ LUMINANCE, 0, 1)
    return np.broadcast_to(floats, (*floats.shape[:2], channels or floats.shape[2]))


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


def _plain(image: Image.Image) -> Image.Image:
    """The same picture in mode `L`, `RGB`, or `F` with values in [0, 1]."""
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.mode == "F" or not 0 <= values.min() <= values.max() <= DEEPEST:
            raise ValueError(f"mode {image.mode} with values of more than 16 bits: expected 8 or 16 bits a channel")
        return Image.fromarray(values.astype(np.float32) / DEEPEST)
    gray = image.mode in ("L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, PAPER), image)
    return image if image.mode == "L" else image.convert("L" if gray else "RGB")

"""Picture files of any kind as arrays of gray or RGB: the one reader of data sets, commands and reports.

A picture is turned as its EXIF orientation says. Transparent pixels show white paper. Gray pictures (modes `L`, `LA`,
16 bits and floats) stay gray; palettes, CMYK and all others become RGB. Of a file of several pictures, such as an
animation, the first is taken. Colour profiles are not applied.
"""

import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from convzoo.files import is_hidden

PAPER = "white"
"""Colour behind transparent pixels."""
DEEPEST = 65535
"""White in a picture of 16 bits."""
FULL_SCALE = {"uint8": 255, "uint16": DEEPEST, "bool": 1}
"""White in an array of this type."""
LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)
"""Weights of red, green and blue in gray. Reference: ITU-R BT.601."""


class UnreadableError(ValueError):
    """A file that is no picture, or one of a mode that has no rule."""


class Picture(NamedTuple):
    """A picture from a file.

    Attributes:
      image: upright, in mode `L`, `RGB`, or `F` with values in [0, 1].
      several: whether its file holds more pictures, such as further frames.
    """

    image: Image.Image
    several: bool


def below(folder: Path) -> list[Path]:
    """Files whose names end as pictures' do, at any depth, sorted; hidden files and folders are left out."""
    suffixes = Image.registered_extensions()
    files: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        pictures = [name for name in names if os.path.splitext(name)[1].lower() in suffixes and not is_hidden(name)]
        files += [os.path.join(parent, name) for name in pictures]
    # As paths are sorted, but several times faster.
    return [Path(file) for file in sorted(files, key=lambda file: os.path.normcase(file).split(os.sep))]


def content(file: str | Path) -> bytes:
    """The bytes of a file.

    Raises:
      UnreadableError: it cannot be read, or is a pipe or a device, which might never end.

    Example:
      >>> content("/dev/null")
      Traceback (most recent call last):
      convzoo.pictures.UnreadableError: not a regular file
    """
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise UnreadableError("not a regular file")
        return Path(file).read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None


def decode(data: bytes) -> Picture:
    """The picture in the bytes of a file.

    Raises:
      UnreadableError: with the decoder's reason.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return Picture(plain(image), _several(image))
    except UnreadableError:
        raise
    except Exception as error:  # Decoders raise anything on damaged bytes: OSError, SyntaxError, struct.error, …
        text = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else " ".join(str(error).split())
        raise UnreadableError(text or type(error).__name__) from None


def plain(image: Image.Image) -> Image.Image:
    """An upright picture without transparency in mode `L`, `RGB`, or `F` with values in [0, 1].

    Raises:
      UnreadableError: integers of more than 16 bits, or floats outside [0, 1]: their white is unknown.

    Example:
      >>> plain(Image.new("LA", (2, 1), (0, 0))).getpixel((0, 0))
      255
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep(image)
    gray = image.mode in ("L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, PAPER), image)
    return image if image.mode == "L" else image.convert("L" if gray else "RGB")


def _several(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # The second frame is damaged, and not asked for.
        return True


def _deep(image: Image.Image) -> Image.Image:
    """A picture of 16 bits or of floats in mode `F`, with values in [0, 1]."""
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    white = 1 if image.mode == "F" else DEEPEST
    if not 0 <= low <= high <= white:  # NaN is refused, too
        expected = "floats in [0, 1]" if image.mode == "F" else "8 or 16 bits a channel"
        raise UnreadableError(f"mode {image.mode} with values from {low:g} to {high:g}: expected {expected}")
    return Image.fromarray(values.astype(np.float32) / np.float32(white))


def scaled(array: np.ndarray) -> np.ndarray:
    """An image in an array of bytes, of 16 bits, of booleans or of floats as floats.

    Args:
      array: (H, W) or (H, W, C).

    Returns:
      (H, W, C) float32; integers are divided by the largest of their type, floats stay as they are.

    Raises:
      UnreadableError: another type or shape, NaN, or floats outside [0, 1].

    Example:
      >>> scaled(np.array([[0, 65535]], np.uint16)).tolist()
      [[[0.0], [1.0]]]
    """
    if array.dtype.kind != "f" and array.dtype.name not in FULL_SCALE:
        raise UnreadableError(f"holds {array.dtype}: expected bytes, 16 bits, or floats in [0, 1]")
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise UnreadableError(f"has shape {array.shape}: expected (H, W) or (H, W, C)")
    if np.isnan(array).any():
        raise UnreadableError("holds NaN: expected floats in [0, 1]")
    floats = array.astype(np.float32) / np.float32(FULL_SCALE.get(array.dtype.name, 1))
    if not 0 <= floats.min() <= floats.max() <= 1:
        raise UnreadableError(f"spans [{floats.min():g}, {floats.max():g}]: expected floats in [0, 1]")
    return floats if array.ndim == 3 else floats[..., np.newaxis]


def as_floats(array: np.ndarray, channels: int | None = None) -> np.ndarray:
    """Bytes as float32 in [0, 1]; floats stay as they are.

    Args:
      array: (H, W, 1 or 3) uint8, or float32 in [0, 1].
      channels: gray is repeated to any number, and colours become the gray of their luminance for 1; None: as they are.

    Returns:
      (H, W, channels) float32.

    Example:
      >>> as_floats(np.array([[[255, 255, 255]]], np.uint8), channels=1).tolist()
      [[[1.0]]]
    """
    floats = array.astype(np.float32) / 255 if array.dtype == np.uint8 else array
    if channels == 1 and floats.shape[2] == 3:
        return np.clip(floats @ LUMINANCE, 0, 1)
    return np.broadcast_to(floats, (*floats.shape[:2], channels or floats.shape[2]))

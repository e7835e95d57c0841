"""Image files as arrays."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from convzoo import pictures
from convzoo.commands import say


def read(
    files: Sequence[str | Path], shape: tuple[int, int, int], resize: Callable[[jax.Array], jax.Array]
) -> np.ndarray:
    """Images from files, as a model takes them.

    Args:
      files: pictures in any format that Pillow reads, by the rules of `convzoo.pictures`, or `.npy` arrays (H, W) or
        (H, W, C) of bytes, of 16 bits, or of floats in [0, 1].
      shape: (H, W, C) of the result.
      resize: what brings (1, h, w, C) images to the model's size, where `shape` is not reached by that alone.

    Returns:
      (N, H, W, C) float32 in [0, 1].

    Raises:
      ValueError: no such file, not a picture, not numbers, NaN, or values outside [0, 1].

    Example:
      >>> read(["none.png"], (8, 8, 1), lambda images: images)
      Traceback (most recent call last):
      ValueError: no file none.png
    """
    return np.concatenate([_fitted(_pixels(Path(file), shape[2]), shape, resize) for file in files])


def _pixels(file: Path, channels: int) -> np.ndarray:
    """(H, W, channels) float32 in [0, 1]."""
    if file.is_dir():
        raise ValueError(f"{file} is a folder: name the pictures in it, such as {file}/*.png")
    if not file.exists():
        raise ValueError(f"no file {file}")
    try:
        data = pictures.content(file)
        if file.suffix == ".npy":
            image = pictures.scaled(_array(data))
        else:
            picture, several = pictures.decode(data)
            if several:
                say(f"{file} holds several pictures: the first is used")
            image = np.asarray(picture).reshape(picture.height, picture.width, -1)
    except pictures.UnreadableError as error:
        raise ValueError(f"{file} cannot be read as a picture: {error}") from None
    if image.shape[2] not in (1, channels) and (image.shape[2], channels) != (3, 1):
        raise ValueError(f"{file} has shape {image.shape}: expected {channels} channel(s) or 1")
    return pictures.as_floats(image, channels)


def _array(data: bytes) -> np.ndarray:
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise pictures.UnreadableError(str(error)) from None


def _fitted(image: np.ndarray, shape: tuple[int, int, int], resize: Callable) -> np.ndarray:
    images = resize(image[np.newaxis])
    if images.shape[1:] != shape:
        images = jax.image.resize(images, (1, *shape), "bilinear")
    return np.clip(np.asarray(images), 0, 1)  # cubic kernels overshoot

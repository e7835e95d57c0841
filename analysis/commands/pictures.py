"""Image files as arrays."""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from PIL import Image, ImageOps

from analysis import checks

FULL_SCALE = {"uint8": 255, "uint16": 65535, "bool": 1}


def read(
    files: Sequence[str | Path], shape: tuple[int, int, int], resize: Callable[[jax.Array], jax.Array]
) -> np.ndarray:
    """Images from files, as a model takes them.

    Args:
      files: pictures in any format that Pillow reads, turned upright and laid on white where they are transparent,
        or `.npy` arrays (H, W) or (H, W, C) of bytes or of floats in [0, 1].
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
    return np.concatenate([_fitted(_pixels(Path(file)), file, shape, resize) for file in files])


def _pixels(file: Path) -> np.ndarray:
    """(H, W) or (H, W, C) numbers of any type."""
    if file.is_dir():
        raise ValueError(f"{file} is a folder: name the pictures in it, such as {file}/*.png")
    if not file.is_file():
        raise ValueError(f"no file {file}")
    try:
        if file.suffix == ".npy":
            return np.load(file, allow_pickle=False)
        with Image.open(file) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:  # what shows through is the paper
                paper = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(paper, upright.convert("RGBA"))
            plain = upright.mode in ("1", "L", "RGB", "F", "I", "I;16")
            return np.asarray(upright if plain else upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} cannot be read as a picture: {reason}") from None


def _fitted(pixels: np.ndarray, file: str | Path, shape: tuple[int, int, int], resize: Callable) -> np.ndarray:
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"{file} holds {pixels.dtype}: expected bytes, or floats in [0, 1]")
    scale = FULL_SCALE.get(pixels.dtype.name, 1)
    image = pixels.astype(np.float32)[np.newaxis] / scale
    image = image[..., np.newaxis] if image.ndim == 3 else image
    if image.ndim != 4 or image.shape[-1] not in (1, 3, shape[2]):
        raise ValueError(f"{file} has shape {pixels.shape}: expected (H, W) or (H, W, C) with 1 or 3 channels")
    try:
        checks.as_images(image)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if image.shape[-1] != shape[2]:
        image = image.mean(-1, keepdims=True) if shape[2] == 1 else np.repeat(image[..., :1], shape[2], -1)
    image = resize(image)
    if image.shape[1:] != shape:
        image = jax.image.resize(image, (1, *shape), "bilinear")
    return np.clip(np.asarray(image), 0, 1)  # cubic kernels overshoot

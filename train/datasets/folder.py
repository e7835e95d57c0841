"""Any folder of pictures with one sub-folder a class."""

from pathlib import Path

import numpy as np
from PIL import Image

from train.datasets.dataset import Dataset
from train.datasets.prepare import pixels, stratified

TEST_SHARE = 0.2


def load(path: str, size: int, seed: int = 0) -> Dataset:
    """Read a folder: every sub-folder with pictures in it, at whatever depth, is the class of its name.

    Args:
      path: of the folder.
      size: height and width in pixels of the result.
      seed: draws the fifth of each class that is for testing.

    Returns:
      A `Dataset` of colour images, or of gray ones where all are gray.

    Raises:
      ValueError: no such folder, fewer than two classes, a class with fewer than two pictures, or a file that
        cannot be read as a picture.
    """
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"folder:{path}: no such folder")
    known = Image.registered_extensions()
    files = {
        folder.name: sorted(file for file in folder.rglob("*") if file.suffix.lower() in known)
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    }
    files = {name: found for name, found in files.items() if found}
    if len(files) < 2:
        raise ValueError(
            f"folder:{path}: {len(files)} sub-folder(s) with pictures, but one a class is needed, 2 at least"
        )
    images = [_read(file, size) for found in files.values() for file in found]
    if len({image.shape for image in images}) > 1:
        images = [np.broadcast_to(image, (size, size, 3)) for image in images]
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(found) for found in files.values()])
    return stratified(f"folder:{path}", np.stack(images), labels, tuple(files), TEST_SHARE, seed)


def _read(file: Path, size: int) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return pixels(image, size)
    except OSError as error:
        raise ValueError(f"{file} cannot be read as a picture: {error}") from None

"""From pictures of any size to arrays of one, and from one pile of them to two splits."""

import numpy as np
from PIL import Image
from sklearn.model_selection import train_test_split

from train.datasets.dataset import Dataset, Split


def pixels(image: Image.Image, size: int) -> np.ndarray:
    """A picture as numbers, squeezed or stretched to a square, antialiased where it shrinks.

    Args:
      image: a picture of mode `L` (gray), or of any other, which becomes RGB.
      size: height and width in pixels.

    Returns:
      (size, size, 1 or 3) float32 in [0, 1].

    Example:
      >>> pixels(Image.new("L", (20, 10), 255), 4)[0, 0].tolist()
      [1.0]
    """
    image = image if image.mode == "L" else image.convert("RGB")
    array = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
    return array.reshape(size, size, -1)


def stratified(
    name: str, images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], test_size: float | int, seed: int
) -> Dataset:
    """Set some of the images aside for testing, from each class its share.

    Args:
      name: of the data set.
      images: (N, H, W, C) float32 in [0, 1].
      labels: (N,) int32.
      classes: the name of each class.
      test_size: how many images, or which share of them, are set aside.
      seed: draws which.

    Returns:
      A `Dataset`.

    Raises:
      ValueError: a class with fewer than 2 images, or too few images set aside for all classes to be among them.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < 2:
        raise ValueError(f"{name}: class {classes[counts.argmin()]!r} has {counts.min()} image(s), but 2 are needed")
    wanted = test_size if isinstance(test_size, int) else max(round(test_size * len(labels)), len(classes))
    train, test = train_test_split(np.arange(len(labels)), test_size=wanted, stratify=labels, random_state=seed)
    return Dataset(name, Split(images[train], labels[train]), Split(images[test], labels[test]), classes)

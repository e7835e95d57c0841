"""Pictures of any size as arrays of one size, and stratified splits."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageOps
from sklearn.model_selection import train_test_split

from train.datasets.dataset import Dataset, Split


def pixels(image: Image.Image, size: int, keep_proportions: bool = False) -> np.ndarray:
    """A picture as a square array, antialiased where it shrinks.

    Args:
      image: a picture of mode `L` (gray), or of any other, which becomes RGB.
      size: height and width in pixels.
      keep_proportions: resize until the shorter side fits, and crop the centre; else squeeze or stretch.

    Returns:
      (size, size, 1 or 3) float32 in [0, 1].

    Example:
      >>> pixels(Image.new("L", (20, 10), 255), 4)[0, 0].tolist()
      [1.0]
    """
    image = image if image.mode == "L" else image.convert("RGB")
    fit = ImageOps.fit if keep_proportions else Image.Image.resize
    array = np.asarray(fit(image, (size, size), Image.Resampling.BILINEAR), np.float32) / 255
    return array.reshape(size, size, -1)


def stratified(
    name: str,
    images: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    test_size: float | int,
    seed: int,
    extra: Mapping[str, np.ndarray] | None = None,
) -> Dataset:
    """Set a share of each class aside for testing.

    Args:
      name: of the data set.
      images: (N, H, W, C) float32 in [0, 1].
      labels: (N,) int32.
      classes: the name of each class.
      test_size: number of images to set aside, or their share.
      seed: draws them.
      extra: other facts of each image, as in `Split`.

    Returns:
      A `Dataset`.

    Raises:
      ValueError: a class with fewer than 2 images, or too few images set aside for all classes to be among them.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < 2:
        alone = "; with one image of each class no pair of a class can be made, and nothing is learned of its variety"
        raise ValueError(
            f"{name}: class {classes[counts.argmin()]!r} has {counts.min()} image(s), but 2 are needed"
            f"{alone if counts.max() < 2 else ''}"
        )
    count = test_size if isinstance(test_size, int) else max(round(test_size * len(labels)), len(classes))
    train, test = train_test_split(np.arange(len(labels)), test_size=count, stratify=labels, random_state=seed)

    def split(rows: np.ndarray) -> Split:
        return Split(images[rows], labels[rows], {fact: values[rows] for fact, values in (extra or {}).items()})

    return Dataset(name, split(train), split(test), classes)

"""Stratified splits."""

from collections.abc import Mapping

import numpy as np
from sklearn.model_selection import train_test_split

from train.datasets.dataset import Dataset, Split
from train.datasets.stream import Stream


def stratified(
    name: str,
    images: np.ndarray | Stream,
    labels: np.ndarray,
    classes: tuple[str, ...],
    test_size: float | int,
    seed: int,
    extra: Mapping[str, np.ndarray] | None = None,
) -> Dataset:
    """Set a share of each class aside for testing.

    Args:
      name: of the data set.
      images: (N, H, W, C) float32 in [0, 1], or a stream of them.
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
    whole = Split(images, labels, dict(extra or {}))
    return Dataset(name, whole.rows(train), whole.rows(test), classes)

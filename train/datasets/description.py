"""The facts about a data set that a run keeps, so that its model loads without the data."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from train.datasets.dataset import Dataset
from zoo import Preprocess

VOID = 255
"""Value of pixels in an integer mask that do not count, as in PASCAL VOC and Cityscapes."""


class Moments:
    """Mean and standard deviation of each channel, from images that come a few at a time.

    Reference: Chan, Golub & LeVeque, 1979, STAN-CS-79-773.

    Example:
      >>> moments = Moments()
      >>> for value in (0.0, 1.0):
      ...     moments.add(np.full((2, 8, 8, 1), value, np.float32))
      >>> moments.mean.tolist(), moments.std.tolist()
      ([0.5], [0.5])
    """

    def __init__(self):
        self._count, self.mean, self._squares = 0, np.zeros(1), np.zeros(1)

    def add(self, images: np.ndarray) -> None:
        """Count (N, H, W, C) images."""
        count = images[..., 0].size
        mean, total = images.mean((0, 1, 2), np.float64), self._count + count
        distance = mean - self.mean
        within = images.var((0, 1, 2), np.float64) * count
        self._squares = self._squares + within + distance**2 * (self._count * count / total)
        self.mean, self._count = self.mean + distance * (count / total), total

    @property
    def std(self) -> np.ndarray:
        """(C,) of all images so far."""
        return np.sqrt(self._squares / self._count)


class Data(NamedTuple):
    """The facts about a data set that a run keeps.

    Attributes:
      classes: their names, in the order of the labels.
      image_shape: (H, W, C).
      images: number of training images.
      preprocess: normalization by the training images.
      fingerprint: SHA-256 of all images and targets.
      target_shape: shape of one image's target; () for a label.
      class_counts: training images of each class; () where there are no labels.
      target_values: values of a target of booleans or integers, from 0 and without `VOID`; 0 for others.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    images: int
    preprocess: Preprocess
    fingerprint: str
    target_shape: tuple[int, ...] = ()
    class_counts: tuple[int, ...] = ()
    target_values: int = 0

    @classmethod
    def of(cls, dataset: Dataset, target: str = "labels") -> "Data":
        """The facts about a data set, for a task that learns this target.

        Raises:
          ValueError: the data set has no such target.
        """
        moments = Moments()
        fingerprint = dataset.fingerprint(target, lambda name, images: moments.add(images) if name == "train" else None)
        mean, std = moments.mean, moments.std
        # A channel that never changes has nothing to scale.
        preprocess = Preprocess(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1).tolist()))
        shape = dataset.train.target(target).shape[1:]
        labels = dataset.train.labels
        counts = np.bincount(labels, minlength=len(dataset.classes)).tolist() if len(labels) else ()
        values = 0 if target == "labels" else max(_values(split.target(target)) for split in dataset.splits.values())
        images = len(dataset.train)
        return cls(dataset.classes, dataset.image_shape, images, preprocess, fingerprint, shape, tuple(counts), values)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return self._asdict() | {"preprocess": {"mean": self.preprocess.mean, "std": self.preprocess.std}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Data":
        """The facts from what `to_json` returns; those of earlier versions lack the last two."""
        preprocess = Preprocess(tuple(data["preprocess"]["mean"]), tuple(data["preprocess"]["std"]))
        return cls(
            tuple(data["classes"]),
            tuple(data["image_shape"]),
            data["images"],
            preprocess,
            data["fingerprint"],
            tuple(data.get("target_shape", ())),
            tuple(data.get("class_counts", ())),
            data.get("target_values", 0),
        )


def _values(targets: np.ndarray) -> int:
    """Number of values of booleans or integers from 0, without `VOID`; 0 for other targets."""
    if targets.dtype == bool:
        return 2
    if not np.issubdtype(targets.dtype, np.integer) or not targets.size or targets.min() < 0:
        return 0
    return int(targets.max(initial=0, where=targets != VOID)) + 1

"""The facts about a data set that a run keeps, so that its model loads without the data."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from train.datasets.dataset import Dataset
from zoo import Preprocess

VOID = 255
"""Value of pixels in an integer mask that do not count, as in PASCAL VOC and Cityscapes."""


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
        images = dataset.train.images
        mean, std = images.mean((0, 1, 2), np.float64), images.std((0, 1, 2), np.float64)
        # A channel that never changes has nothing to scale.
        preprocess = Preprocess(tuple(mean.tolist()), tuple(np.where(std > 0, std, 1).tolist()))
        shape = dataset.train.target(target).shape[1:]
        labels = dataset.train.labels
        counts = np.bincount(labels, minlength=len(dataset.classes)).tolist() if len(labels) else ()
        values = 0 if target == "labels" else max(_values(split.target(target)) for split in dataset.splits.values())
        fingerprint = dataset.fingerprint(target)
        return cls(
            dataset.classes, dataset.image_shape, len(images), preprocess, fingerprint, shape, tuple(counts), values
        )

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

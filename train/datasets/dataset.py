"""What a data set is, wherever it comes from."""

import dataclasses
import hashlib

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Labelled images, all in memory.

    Attributes:
      images: (N, H, W, C) float32 in [0, 1].
      labels: (N,) int32, the index of each image's class.
      extra: what else is known of every image, by name; each array starts with an axis of N.

    Raises:
      ValueError: another shape, type or range, or lengths that differ.

    Example:
      >>> len(Split(np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int32)))
      4
    """

    images: np.ndarray
    labels: np.ndarray
    extra: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.images.ndim != 4 or self.images.dtype != np.float32 or not self.images.size:
            raise ValueError(
                f"images of shape {self.images.shape} and type {self.images.dtype}: expected (N, H, W, C) float32"
            )
        low, high = float(self.images.min()), float(self.images.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"images between {low:g} and {high:g}: expected values in [0, 1]")
        if self.labels.shape != (len(self),) or self.labels.dtype != np.int32:
            raise ValueError(
                f"labels of shape {self.labels.shape} and type {self.labels.dtype}: expected ({len(self)},) int32"
            )
        for name, values in self.extra.items():
            if len(values) != len(self):
                raise ValueError(f"extra[{name!r}] has {len(values)} entries for {len(self)} images")

    def __len__(self) -> int:
        return len(self.images)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split of the same classes.

    Attributes:
      name: what `train.datasets.load` finds it by.
      train: what is learned from.
      test: what is only evaluated on.
      classes: the name of each class, in the order of the labels.

    Raises:
      ValueError: labels without a class, fewer than two classes, or splits whose images differ in shape.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]

    def __post_init__(self):
        if len(self.classes) < 2:
            raise ValueError(f"{self.name} has {len(self.classes)} class(es): at least 2 are needed to tell apart")
        if self.train.images.shape[1:] != self.test.images.shape[1:]:
            raise ValueError(
                f"{self.name}: training images of shape {self.train.images.shape[1:]}, "
                f"but test images of {self.test.images.shape[1:]}"
            )
        for split in (self.train, self.test):
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise ValueError(f"{self.name}: labels from {low} to {high} for {len(self.classes)} classes")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every image."""
        return self.train.images.shape[1:]

    def fingerprint(self) -> str:
        """SHA-256 of all images and labels: equal for equal data, so a run can tell that its data have changed."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for split in (self.train, self.test):
            for values in (split.images, split.labels):
                digest.update(repr(values.shape).encode())
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

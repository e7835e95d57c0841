"""Data sets in memory: images in two splits, with labels and other targets or facts."""

import dataclasses
import hashlib

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images with their targets, all in memory.

    Attributes:
      images: (N, H, W, C) float32 in [0, 1].
      labels: (N,) int32, the index of each image's class; (0,) where there are no classes.
      extra: other targets and facts, by name: arrays of (N, ...).

    Raises:
      ValueError: another shape, type or range, or lengths that differ.

    Example:
      >>> len(Split(np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int32)))
      4
    """

    images: np.ndarray
    labels: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    extra: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.images.ndim != 4 or self.images.dtype != np.float32 or not self.images.size:
            raise ValueError(
                f"images of shape {self.images.shape} and type {self.images.dtype}: expected (N, H, W, C) float32"
            )
        low, high = float(self.images.min()), float(self.images.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"images between {low:g} and {high:g}: expected values in [0, 1]")
        if self.labels.shape not in ((len(self),), (0,)) or self.labels.dtype != np.int32:
            raise ValueError(
                f"labels of shape {self.labels.shape} and type {self.labels.dtype}: expected ({len(self)},) int32"
            )
        for name, values in self.extra.items():
            if len(values) != len(self):
                raise ValueError(f"extra[{name!r}] has {len(values)} entries for {len(self)} images")

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, rows: np.ndarray) -> "Split":
        """Some of the images, by index or by a mask of length N."""
        labels = self.labels[rows] if len(self.labels) else self.labels
        return Split(self.images[rows], labels, {name: values[rows] for name, values in self.extra.items()})

    def target(self, name: str) -> np.ndarray:
        """The targets of a task: `labels`, or an entry of `extra`.

        Raises:
          ValueError: the images have no such target.

        Example:
          >>> Split(np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int32)).target("labels").shape
          (4,)
        """
        targets = ({"labels": self.labels} if len(self.labels) else {}) | self.extra
        if name not in targets:
            raise ValueError(f"the images have no {name!r}: they come with {', '.join(targets) or 'nothing'}")
        return targets[name]


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split of images of one shape.

    Attributes:
      name: the argument of `train.datasets.load`, or any name for arrays of your own.
      train: the images that a model learns from.
      test: the images that a model is evaluated on.
      classes: the name of each class, in the order of the labels; () for images without labels.
      note: a remark on where the splits come from, shown at the start of a run.
      validation: images to choose a rate or an epoch by, which are neither trained nor tested on; None: there are none.

    Raises:
      ValueError: labels without a class, a single class, or splits whose images differ in shape.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...] = ()
    note: str = ""
    validation: Split | None = None

    def __post_init__(self):
        if len(self.classes) == 1:
            raise ValueError(f"{self.name} has 1 class: at least 2 are needed to tell apart")
        for name, split in self.splits.items():
            if self.train.images.shape[1:] != split.images.shape[1:]:
                raise ValueError(
                    f"{self.name}: training images of shape {self.train.images.shape[1:]}, "
                    f"but {name} images of {split.images.shape[1:]}"
                )
        for split in self.splits.values():
            if not (len(split.labels) or self.classes):
                continue
            if not len(split.labels):
                raise ValueError(f"{self.name}: no labels for {len(self.classes)} classes")
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= len(self.classes):
                raise ValueError(f"{self.name}: labels from {low} to {high} for {len(self.classes)} classes")

    @property
    def splits(self) -> dict[str, Split]:
        """`train`, `test`, and `validation` where there is one."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    def with_validation(self, share: float, seed: int) -> "Dataset":
        """The same data with images to validate on: its own, or a share of every class of the training images.

        Args:
          share: of the training images, in [0, 1); 0: without validation.
          seed: draws them.

        Returns:
          A `Dataset`; of a class with too few images for its share, one goes, and a class of one image stays whole.

        Example:
          >>> split = Split(np.zeros((20, 8, 8, 1), np.float32), np.arange(20, dtype=np.int32) % 2)
          >>> len(Dataset("toy", split, split, ("a", "b")).with_validation(0.1, seed=0).validation)
          2
        """
        if not share:
            return dataclasses.replace(self, validation=None)
        if self.validation is not None:
            return self
        labels = self.train.labels if len(self.train.labels) else np.zeros(len(self.train), np.int32)
        order = np.random.default_rng([seed, len(labels)]).permutation(len(labels))
        aside = np.zeros(len(labels), bool)
        for label in np.unique(labels):
            rows = order[labels[order] == label]
            aside[rows[: min(max(1, round(share * len(rows))), len(rows) - 1)]] = True
        if not aside.any():
            raise ValueError(f"validation={share}: {self.name} has no class of two training images to take one from")
        return dataclasses.replace(self, train=self.train.rows(~aside), validation=self.train.rows(aside))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every image."""
        return self.train.images.shape[1:]

    def fingerprint(self, target: str = "labels") -> str:
        """SHA-256 of all images, labels and targets: equal for equal data, so that a run notices changed data.

        Args:
          target: the targets of a task, as in `Split.target`.
        """
        digest = hashlib.sha256(repr(self.classes).encode())
        for split in self.splits.values():
            targets = [] if target == "labels" else [split.target(target)]
            for values in (split.images, split.labels, *targets):
                digest.update(repr(values.shape).encode())
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

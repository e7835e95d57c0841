"""Data sets: images in splits, in memory or in files, with labels and other targets or facts."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from train.datasets.stream import Stream, chunks, take


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images with their targets.

    Attributes:
      images: (N, H, W, C) float32 in [0, 1]; a `Stream` stands for an array, and decodes the images that are indexed.
      labels: (N,) integers, the index of each image's class, kept as int32; (0,) where there are no classes.
      extra: other targets and facts, by name: arrays of (N, ...).

    Raises:
      ValueError: another shape, type or range, or lengths that differ.

    Example:
      >>> len(Split(np.zeros((4, 8, 8, 1), np.float32), np.zeros(4, np.int32)))
      4
    """

    images: Any
    labels: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    extra: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        labels = np.asarray(self.labels)
        if labels.dtype.kind in "iu" and (labels == labels.astype(np.int32)).all():
            object.__setattr__(self, "labels", labels.astype(np.int32, copy=False))
        if self.images.ndim != 4 or self.images.dtype != np.float32 or not self.images.size:
            raise ValueError(
                f"images of shape {self.images.shape} and type {self.images.dtype}: expected (N, H, W, C) float32"
            )
        low, high = (0.0, 1.0) if isinstance(self.images, Stream) else (self.images.min(), self.images.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"images between {low:g} and {high:g}: expected values in [0, 1]")
        if self.labels.shape not in ((len(self),), (0,)) or self.labels.dtype != np.int32:
            raise ValueError(
                f"labels of shape {self.labels.shape} and type {self.labels.dtype}: expected ({len(self)},) integers"
            )
        for name, values in self.extra.items():
            if len(values) != len(self):
                raise ValueError(f"extra[{name!r}] has {len(values)} entries for {len(self)} images")

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, rows: np.ndarray | slice) -> "Split":
        """Some of the images, by index, by a slice or by a mask of length N."""
        labels = self.labels[rows] if len(self.labels) else self.labels
        return Split(take(self.images, rows), labels, {name: values[rows] for name, values in self.extra.items()})

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
                hint = "" if self.classes else ": give their names as classes=(...)"
                raise ValueError(f"{self.name}: labels from {low} to {high} for {len(self.classes)} classes{hint}")

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
        labels, order = self._shuffled(seed)
        aside = np.zeros(len(labels), bool)
        for label in np.unique(labels):
            rows = order[labels[order] == label]
            aside[rows[: min(max(1, round(share * len(rows))), len(rows) - 1)]] = True
        if not aside.any():
            raise ValueError(f"validation={share}: {self.name} has no class of two training images to take one from")
        return dataclasses.replace(self, train=self.train.rows(~aside), validation=self.train.rows(aside))

    def fold(self, number: int, folds: int) -> "Dataset":
        """The same data for one part of a cross-validation: the images of a fold to test on, the others to train on.

        The folds are parts of the training images, equal but for one image in size and in the share of every class,
        and always the same. The data set's own test images are left out of all of them.

        Args:
          number: of the fold, from 1 to `folds`.
          folds: at least 2.

        Returns:
          A `Dataset`.

        Raises:
          ValueError: a class with a single image, which would be tested and not trained, or fewer images than folds.

        Example:
          >>> split = Split(np.zeros((20, 8, 8, 1), np.float32), np.arange(20, dtype=np.int32) % 2)
          >>> part = Dataset("toy", split, split, ("a", "b")).fold(1, 5)
          >>> len(part.train), len(part.test)
          (16, 4)
        """
        labels, order = self._shuffled(0)
        counts = np.bincount(labels)
        if len(labels) < folds or 1 in counts:
            name = self.classes[int(np.argmax(counts == 1))] if self.classes and 1 in counts else ""
            reason = f"class {name!r} has 1 training image" if name else f"there are {len(labels)} training images"
            raise ValueError(f"folds={folds}: {reason} of {self.name}, too few to be trained and tested")
        # Class by class around the folds: the next class goes on where the last one ended.
        ranks = np.empty(len(labels), int)
        ranks[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(labels))
        aside = ranks % folds == number - 1
        return dataclasses.replace(self, train=self.train.rows(~aside), test=self.train.rows(aside))

    def _shuffled(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the training images, 0 where there are none, and a random order of these images."""
        labels = self.train.labels if len(self.train.labels) else np.zeros(len(self.train), np.int32)
        return labels, np.random.default_rng([seed, len(labels)]).permutation(len(labels))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every image."""
        return self.train.images.shape[1:]

    def fingerprint(self, target: str = "labels", observe: Callable[[str, np.ndarray], None] | None = None) -> str:
        """SHA-256 of all images, labels and targets: equal for equal data, so that a run notices changed data.

        Args:
          target: the targets of a task, as in `Split.target`.
          observe: called with the name of each split and some of its images, until all were shown in their order: one
            pass over images in files is enough for all that must be known of them.
        """
        digest = hashlib.sha256(repr(self.classes).encode())
        for name, split in self.splits.items():
            targets = [] if target == "labels" else [split.target(target)]
            digest.update(repr(split.images.shape).encode())
            for images in chunks(split.images):
                digest.update(np.ascontiguousarray(images).data)
                if observe is not None:
                    observe(name, images)
            for values in (split.labels, *targets):
                digest.update(repr(values.shape).encode())
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

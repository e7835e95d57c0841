"""The source of a command: a model, and images for it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from analysis import checks, execution
from analysis.network import Network
from convzoo.checks import did_you_mean, integer


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A model and images for it.

    Attributes:
      title: what the model is called in a figure.
      network: the model.
      image_shape: (H, W, C) that it takes.
      folder: where files go by default.
      images: (N, H, W, C) in [0, 1]; N may be 0 for commands that need none.
      names: of the images, one each.
      labels: (N,) their classes; None: unknown.
      classes: the name of each class; None: unknown.
      synonyms: numbers of the classes that share a further name, by that name in lower case.
    """

    title: str
    network: Network
    image_shape: tuple[int, int, int]
    folder: Path
    images: np.ndarray
    names: Sequence[str]
    labels: np.ndarray | None = None
    classes: Sequence[str] | None = None
    synonyms: Mapping[str, Sequence[int]] = dataclasses.field(default_factory=dict)

    def chosen(self, indices: Sequence[int] | None, count: int) -> "Source":
        """The same with fewer images.

        Args:
          indices: which; None: the first `count`.
          count: of images.

        Raises:
          ValueError: an image that does not exist.
        """
        total = len(self.images)
        integer("count", count)
        rows = np.arange(min(count, total)) if indices is None else np.asarray(indices)
        wrong = rows[(rows < 0) | (rows >= total)]
        if wrong.size:
            raise ValueError(f"there is no image {wrong[0]} among {total}: expected 0 to {total - 1}")
        return dataclasses.replace(
            self,
            images=self.images[rows],
            names=[self.names[index] for index in rows.tolist()],
            labels=None if self.labels is None else self.labels[rows],
        )

    def probabilities(self, batch_size: int = 32) -> np.ndarray:
        """(N, K) softmax of the images' logits."""
        images, function = checks.as_images(self.images), self.network.logits_fn
        checks.several(checks.classes_of(execution.as_argument(function), images))
        logits = execution.in_batches(lambda images: execution.call(function, images), batch_size, images)
        return np.asarray(jax.nn.softmax(logits.astype("float32")))

    def class_name(self, number: int) -> str:
        """The name of a class, or its number."""
        return self.classes[number] if self.classes else f"class {number}"

    def best(self, shares: np.ndarray, count: int = 5) -> str:
        """The most probable classes of an image by name, with their probabilities in percent.

        Args:
          shares: (K,) probabilities.
          count: of classes, or fewer where the model has fewer.
        """
        order = np.argsort(-shares, kind="stable")[:count].tolist()
        return ", ".join(f"{self.class_name(number)} {100 * shares[number]:.1f} %" for number in order)

    def class_number(self, text: str, count: int) -> int:
        """The number of a class, from its name, a synonym in any case, or its number.

        Raises:
          ValueError: a class that the model does not have, with the nearest names; or a synonym of several.
        """
        names = list(self.classes or ())
        if text in names:
            return names.index(text)
        if text.isdecimal() and int(text) < count:
            return int(text)
        folded = text.casefold()
        same = [number for number, name in enumerate(names) if name.casefold() == folded] or self.synonyms.get(folded)
        if same and len(same) == 1:
            return same[0]
        if same:
            choices = " or ".join(f"{number} for {names[number]}" for number in same)
            raise ValueError(f"target={text!r} is a name of several classes: expected {choices}")
        expected = f"one of {', '.join(names)}" if 0 < len(names) <= 12 else f"a number from 0 to {count - 1}"
        expected += " or a name" if len(names) > 12 else ""
        further = self.synonyms.keys() - {name.casefold() for name in names}
        hint = did_you_mean(text, [*names, *sorted(further)])
        raise ValueError(f"target={text!r} is no class{hint}: expected {expected}")

"""The interface between a data set and a training step."""

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import jax
import numpy as np

from train.augment.geometry import Geometry
from train.datasets.dataset import Split
from train.datasets.description import Data

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Column(NamedTuple):
    """A figure that is shown while training and drawn as a curve.

    Attributes:
      name: its key in `Task.summarize` and `Task.running`, and in `metrics.jsonl`.
      title: above its curve.
      format: of its value in a line of text.
      scale: of its axis, as Matplotlib names it.
    """

    name: str
    title: str
    format: str = ".4f"
    scale: str = "linear"


class Defaults:
    """Members of `Task` that most tasks leave as they are.

    Attributes:
      geometry, mixes, losses, images_per_label, examples_drawn: as in `Task`.
    """

    geometry: ClassVar[Geometry] = "none"
    mixes: ClassVar[bool] = False
    losses: ClassVar[tuple[str, ...]] = ()
    images_per_label: ClassVar[int | None] = None
    examples_drawn: ClassVar[int] = 0

    def check(self, split: Split) -> None:
        """Accept any training images."""

    def draw(self, images: np.ndarray, outputs: np.ndarray, targets: np.ndarray, metrics: Any) -> "Figure | None":
        """No picture."""
        return None


class Task(Protocol):
    """A kind of learning: targets, a loss for each example, metrics as one accumulated value, and columns to show.

    Metrics are a tree of arrays that stays on the device, is part of the training state and is saved with it.

    Attributes:
      target: the entry of a `Split` that holds the targets: `labels`, or a name in `extra`.
      columns: figures to show; the first is the loss.
      note: a remark below the table of all figures.
      geometry: dependence of the targets on place, which augmentation moves along with the image.
      mixes: whether the loss of a mixture of two images is the mixture of their losses, as MixUp and CutMix take it.
      losses: names of its losses, the default first; () where there is only one.
      images_per_label: images of each label in a training batch, for losses on pairs; None: any.
      examples_drawn: test images that `draw` takes.
    """

    target: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    note: ClassVar[str]
    geometry: ClassVar[Geometry]
    mixes: ClassVar[bool]
    losses: ClassVar[tuple[str, ...]]
    images_per_label: ClassVar[int | None]
    examples_drawn: ClassVar[int]

    @classmethod
    def create(cls, data: Data, label_smoothing: float = 0.0, loss: str | None = None) -> "Task":
        """The task for a data set.

        Args:
          data: description of the data set.
          label_smoothing: share of a label that is spread over all classes, in [0, 1).
          loss: one of `losses`; None: the first.

        Raises:
          ValueError: the data set does not suit the task, or the task has no labels to smooth.
        """
        ...

    @property
    def width(self) -> int:
        """Outputs of the model's last layer: its field `num_classes`."""
        ...

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the model's output for one image; None: any size on that axis."""
        ...

    def check(self, split: Split) -> None:
        """Refuse training images that the task cannot learn from.

        Raises:
          ValueError: with the reason.
        """
        ...

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Loss of each example that training minimizes: (N,) float32 from (N, *output_shape) and (N, ...)."""
        ...

    def empty(self, examples: int = 0) -> Any:
        """Metrics of no examples.

        Args:
          examples: size of an evaluation split, for figures that compare all its examples; 0 in training.
        """
        ...

    def update(self, metrics: Any, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Any:
        """Metrics with a batch added; an example of weight 0 does not count."""
        ...

    def running(self, metrics: Any) -> dict[str, jax.Array]:
        """The figures of `columns` so far, each a () float32 computed on the device."""
        ...

    def summarize(self, metrics: Any) -> dict[str, float]:
        """All figures of an epoch, computed on the host: a row of the table and of `metrics.jsonl`."""
        ...

    def draw(self, images: np.ndarray, outputs: np.ndarray, targets: np.ndarray, metrics: Any) -> "Figure | None":
        """A picture of predictions for the run directory, or None.

        Args:
          images: the first `examples_drawn` test images, in [0, 1].
          outputs: of the model for them.
          targets: of them.
          metrics: of the whole test split.
        """
        ...

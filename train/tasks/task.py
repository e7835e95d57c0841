"""The interface between a data set and a training step."""

from typing import Any, ClassVar, NamedTuple, Protocol

import jax

from train.augment.geometry import Geometry
from train.datasets.description import Data


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


class Task(Protocol):
    """A kind of learning: targets, a loss for each example, metrics as one accumulated value, and columns to show.

    Metrics are a tree of arrays that stays on the device, is part of the training state and is saved with it.

    Attributes:
      target: the entry of a `Split` that holds the targets: `labels`, or a name in `extra`.
      columns: figures to show; the first is the loss.
      note: a remark below the table of all figures.
      geometry: dependence of the targets on place, which augmentation moves along with the image.
      mixes: whether the loss of a mixture of two images is the mixture of their losses, as MixUp and CutMix take it.
    """

    target: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    note: ClassVar[str]
    geometry: ClassVar[Geometry]
    mixes: ClassVar[bool]

    @classmethod
    def create(cls, data: Data, label_smoothing: float = 0.0) -> "Task":
        """The task for a data set.

        Args:
          data: description of the data set.
          label_smoothing: share of a label that is spread over all classes, in [0, 1).

        Raises:
          ValueError: the data set does not suit the task, or the task has no labels to smooth.
        """
        ...

    @property
    def width(self) -> int:
        """Outputs of the model's last layer: its field `num_classes`."""
        ...

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the model's output for one image."""
        ...

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Loss of each example that training minimizes: (N,) float32 from (N, *output_shape) and (N, ...)."""
        ...

    def empty(self) -> Any:
        """Metrics of no examples."""
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

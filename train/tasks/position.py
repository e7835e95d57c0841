"""Position: row and column of the object's centre, by squared errors; figures in pixels."""

import dataclasses
import math
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from train.augment.geometry import Geometry
from train.datasets.description import Data
from train.tasks.counts import Counts
from train.tasks.task import Column, Defaults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 4096
"""Bins of the histogram of errors, from 0 to the image's diagonal: the median is exact to a bin."""


class Metrics(NamedTuple):
    """Sums over the images of an epoch.

    Attributes:
      loss: () float32, the sum of squared distances, in sides.
      distance: () float32, the sum of distances, in pixels.
      images: () float32, their number.
      histogram: (BINS,) images by distance.
    """

    loss: jax.Array
    distance: jax.Array
    images: jax.Array
    histogram: Counts


@dataclasses.dataclass(frozen=True)
class Position(Defaults):
    r"""Row and column as fractions of the image's height and width.

    The loss is the squared distance :math:`(r - \hat r)^2 + (c - \hat c)^2` in these fractions; the error is
    the distance in pixels.

    Attributes:
      sizes: (height, width) of the images, in pixels.

    Example:
      >>> task = Position((32, 32))
      >>> task.loss(jnp.zeros((1, 2)), jnp.array([[0.5, 0.5]])).tolist()
      [0.5]
    """

    sizes: tuple[int, int]

    width: ClassVar[int] = 2
    target: ClassVar[str] = "centre"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("loss", "squared distance in sides", ".5f", scale="log"),
        Column("error", "mean error in pixels", ".2f", scale="log"),
    )
    note: ClassVar[str] = "error and median are distances in pixels"
    geometry: ClassVar[Geometry] = "position"
    examples_drawn: ClassVar[int] = 8

    @classmethod
    def create(cls, data: Data, label_smoothing: float = 0.0, loss: str | None = None) -> "Position":
        """The position of the object in the images of a data set.

        Raises:
          ValueError: targets that are not row and column, or labels to smooth.
        """
        del loss
        if label_smoothing:
            raise ValueError(f"label_smoothing={label_smoothing}: task='position' has no labels, expected 0")
        if data.target_shape != (2,):
            raise ValueError(f"task='position': expected a row and a column, targets are of shape {data.target_shape}")
        height, width, _ = data.image_shape
        return cls((height, width))

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """(2,): row and column of one image."""
        return (2,)

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Squared distance of each image: (N,) float32."""
        return jnp.sum(jnp.square(_difference(outputs, targets)), axis=-1)

    def empty(self, examples: int = 0) -> Metrics:
        """Metrics of no images."""
        del examples
        loss, distance, images = (jnp.zeros((), jnp.float32) for _ in range(3))
        return Metrics(loss, distance, images, Counts.zeros(BINS))

    def update(self, metrics: Metrics, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Metrics:
        """Metrics with a batch added.

        Args:
          metrics: so far.
          outputs: (N, 2) rows and columns.
          targets: (N, 2).
          weights: (N,) 1, or 0 for an image that does not count.

        Returns:
          The new `Metrics`.
        """
        losses, distances = self.loss(outputs, targets), self._distances(outputs, targets)
        bins = jnp.clip((distances * (BINS / math.hypot(*self.sizes))).astype(jnp.int32), 0, BINS - 1)
        return Metrics(
            metrics.loss + jnp.sum(losses * weights),
            metrics.distance + jnp.sum(distances * weights),
            metrics.images + jnp.sum(weights),
            metrics.histogram.add(jnp.zeros(BINS, jnp.int32).at[bins].add(weights.astype(jnp.int32))),
        )

    def running(self, metrics: Metrics) -> dict[str, jax.Array]:
        """Mean squared distance, and mean error in pixels so far."""
        return {"loss": metrics.loss / metrics.images, "error": metrics.distance / metrics.images}

    def summarize(self, metrics: Metrics) -> dict[str, float]:
        """The figures of an epoch.

        Returns:
          `loss`; `error` and `median`, of the distances in pixels, the median to a bin of diagonal / `BINS`.

        Raises:
          ValueError: there were no images.
        """
        cumulated = metrics.histogram.exact().cumsum()
        if not cumulated[-1]:
            raise ValueError("metrics of no images: add a batch first")
        # The middle image, or the mean of the two in the middle.
        middle = [int(np.searchsorted(cumulated, rank)) for rank in ((cumulated[-1] + 1) // 2, cumulated[-1] // 2 + 1)]
        median = (sum(middle) / 2 + 0.5) * math.hypot(*self.sizes) / BINS
        return {name: float(value) for name, value in self.running(metrics).items()} | {"median": median}

    def draw(self, images: np.ndarray, outputs: np.ndarray, targets: np.ndarray, metrics: Metrics) -> "Figure | None":
        """Images with the true and the predicted centre."""
        from train.tasks import pictures

        return pictures.positions(images, np.asarray(targets), np.asarray(outputs, np.float32))

    def _distances(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        sides = jnp.asarray(self.sizes, jnp.float32)
        return jnp.sqrt(jnp.sum(jnp.square(_difference(outputs, targets) * sides.reshape(1, 2)), axis=-1))


def _difference(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    if outputs.shape != targets.shape or outputs.shape[1:] != (2,):
        raise ValueError(f"outputs of shape {outputs.shape} and targets of {targets.shape}: expected (N, 2) twice")
    return outputs.astype(jnp.float32) - targets.astype(jnp.float32)

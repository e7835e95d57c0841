"""Segmentation: a class for each pixel, by cross-entropy; figures from one confusion matrix of pixels."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from train.augment.geometry import Geometry
from train.datasets.description import VOID, Data
from train.tasks.classification import cross_entropy
from train.tasks.counts import Counts
from train.tasks.task import Column, Defaults
from zoo.layers.resize import resize

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Metrics(NamedTuple):
    """Sums over the images of an epoch.

    Attributes:
      confusion: (K, K) pixels; row: the class of the mask, column: the prediction.
      loss: () float32, the sum of the images' mean cross-entropies.
      images: () float32, their number.
    """

    confusion: Counts
    loss: jax.Array
    images: jax.Array


@dataclasses.dataclass(frozen=True)
class Segmentation(Defaults):
    """One of K classes for each pixel, from logits of any size that are resized to the mask's.

    Masks are booleans (background and object), or integers from 0 to K − 1; `VOID` (255) marks pixels that do
    not count.

    Attributes:
      width: K.
      sizes: (height, width) of the masks.
      label_smoothing: share of the label that is spread over all classes in the loss, in [0, 1).

    Example:
      >>> task = Segmentation(2, (4, 4))
      >>> task.loss(jnp.zeros((3, 2, 2, 2)), jnp.zeros((3, 4, 4), bool)).shape
      (3,)
    """

    width: int
    sizes: tuple[int, int]
    label_smoothing: float = 0.0

    target: ClassVar[str] = "mask"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("loss", "cross-entropy of a pixel", scale="log"),
        Column("mean_iou", "mean IoU", ".2%"),
    )
    note: ClassVar[str] = "iou_K is the intersection over union of class K, 0 being the background"
    geometry: ClassVar[Geometry] = "mask"
    mixes: ClassVar[bool] = True
    examples_drawn: ClassVar[int] = 8

    @classmethod
    def create(cls, data: Data, label_smoothing: float = 0.0, loss: str | None = None) -> "Segmentation":
        """Segmentation into the values of a data set's masks.

        Raises:
          ValueError: masks that are not (H, W) of booleans or integers, or that hold one value only.
        """
        del loss
        if len(data.target_shape) != 2 or data.target_values < 2:
            raise ValueError(
                f"task='segmentation': expected masks of (H, W) booleans or integers from 0, these are of shape "
                f"{data.target_shape} with {data.target_values} values"
            )
        height, width = data.target_shape
        return cls(data.target_values, (height, width), label_smoothing)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """(any, any, K): the logits of one image."""
        return (None, None, self.width)

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Mean cross-entropy of each image's pixels against the smoothed mask: (N,) float32."""
        return self._losses(resize(outputs, self.sizes), targets, self.label_smoothing)

    def empty(self, examples: int = 0) -> Metrics:
        """Metrics of no images."""
        del examples
        return Metrics(Counts.zeros(self.width, self.width), jnp.zeros((), jnp.float32), jnp.zeros((), jnp.float32))

    def update(self, metrics: Metrics, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Metrics:
        """Metrics with a batch added.

        Args:
          metrics: so far.
          outputs: (N, h, w, K) logits.
          targets: (N, H, W) masks.
          weights: (N,) 1, or 0 for an image that does not count.

        Returns:
          The new `Metrics`.
        """
        logits = resize(outputs, self.sizes)
        losses = self._losses(logits, targets)
        labels, counted = _labels(targets)
        counted = counted & (weights > 0).reshape(-1, 1, 1)
        cells = labels * self.width + jnp.argmax(logits, axis=-1).astype(jnp.int32)
        confusion = jnp.zeros(self.width**2, jnp.int32).at[cells].add(counted.astype(jnp.int32))
        return Metrics(
            metrics.confusion.add(confusion.reshape(self.width, self.width)),
            metrics.loss + jnp.sum(losses * weights),
            metrics.images + jnp.sum(weights),
        )

    def running(self, metrics: Metrics) -> dict[str, jax.Array]:
        """Mean cross-entropy of a pixel and mean IoU so far."""
        overlap, union = overlaps(metrics.confusion.rounded())
        present = union > 0
        ious = overlap / jnp.where(present, union, 1)
        return {
            "loss": metrics.loss / metrics.images,
            "mean_iou": jnp.sum(jnp.where(present, ious, 0)) / jnp.sum(present).astype(jnp.float32),
        }

    def summarize(self, metrics: Metrics) -> dict[str, float]:
        r"""The figures of an epoch.

        .. math:: \mathrm{IoU}_k = \frac{c_{kk}}{\sum_j c_{jk} + \sum_j c_{kj} - c_{kk}}

        The mean runs over the classes that are in a mask or in a prediction; the IoU of the others is written as 0.

        Returns:
          `loss`, `mean_iou`, `accuracy` of the pixels, and `iou_K` of each class.

        Raises:
          ValueError: there were no images.
        """
        confusion = metrics.confusion.exact()
        if not confusion.sum():
            raise ValueError("metrics of no images: add a batch first")
        overlap, union = overlaps(confusion.astype(np.float64))
        ious = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
        figures = {
            "loss": float(metrics.loss) / float(metrics.images),
            "mean_iou": float(ious[union > 0].mean()),
            "accuracy": float(overlap.sum() / confusion.sum()),
        }
        return figures | {f"iou_{index}": float(iou) for index, iou in enumerate(ious)}

    def draw(self, images: np.ndarray, outputs: np.ndarray, targets: np.ndarray, metrics: Metrics) -> "Figure | None":
        """Images, their masks and the predictions, one below the other."""
        from train.tasks import pictures

        predictions = np.asarray(jnp.argmax(resize(jnp.asarray(outputs), self.sizes), axis=-1))
        labels = np.where(targets == VOID, predictions, targets).astype(int)
        return pictures.masks(images, labels, predictions, self.width)

    def _losses(self, logits: jax.Array, targets: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
        if logits.shape[:-1] != targets.shape:
            raise ValueError(f"logits of shape {logits.shape} and masks of {targets.shape}: expected (N, H, W, K)")
        labels, counted = _labels(targets)
        losses = cross_entropy(logits.reshape(-1, self.width), labels.reshape(-1), label_smoothing)
        share = counted.astype(jnp.float32)
        return jnp.sum(losses.reshape(targets.shape) * share, (1, 2)) / jnp.maximum(jnp.sum(share, (1, 2)), 1)


def overlaps(confusion):
    """Pixels in both mask and prediction, and in either, of each class of a (K, K) matrix.

    Example:
      >>> [counts.tolist() for counts in overlaps(np.array([[3, 1], [0, 4]]))]
      [[3, 4], [4, 5]]
    """
    overlap = confusion.diagonal()
    return overlap, confusion.sum(0) + confusion.sum(1) - overlap


def _labels(targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Classes of the pixels, and whether they count."""
    labels = targets.astype(jnp.int32)
    counted = labels != VOID
    return jnp.where(counted, labels, 0), counted

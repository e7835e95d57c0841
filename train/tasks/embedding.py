"""Embedding: images as points on a sphere, those of one identity close together."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from convzoo.checks import choice
from train.datasets.dataset import Split
from train.datasets.description import Data
from train.tasks import similarity, verification
from train.tasks.counts import Counts
from train.tasks.task import Column, Defaults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Gallery(NamedTuple):
    """The embeddings of an evaluation split, to compare all its images.

    Attributes:
      embeddings: (N, D) float32; rows from `filled` on are 0.
      labels: (N,) int32.
      filled: () int32.
    """

    embeddings: jax.Array
    labels: jax.Array
    filled: jax.Array


class Metrics(NamedTuple):
    """Sums over the images of an epoch.

    Attributes:
      loss: () float32, the sum of the images' losses.
      images: () float32, their number.
      pairs: (GROUPS, 2, BINS) pairs by cosine, as in `verification.histogram`: of each batch in training, of
        all images in evaluation.
      gallery: of an evaluation split; None in training.
    """

    loss: jax.Array
    images: jax.Array
    pairs: Counts
    gallery: Gallery | None


@dataclasses.dataclass(frozen=True)
class Embedding(Defaults):
    """Points on the unit sphere, by the triplet or the contrastive loss on pairs of each batch.

    The model's outputs are scaled to length 1, whatever the model. A batch holds `images_per_label` images of each
    of several identities.

    Attributes:
      width: dimensions of the sphere's space.
      kind: of loss, one of `losses`.

    Example:
      >>> Embedding(8, "triplet").loss(jnp.ones((4, 8)), jnp.array([0, 0, 1, 1])).shape
      (4,)
    """

    width: int = 64
    kind: str = "triplet"

    target: ClassVar[str] = "labels"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("loss", "loss on pairs"),
        Column("accuracy", "verification accuracy", ".2%"),
    )
    note: ClassVar[str] = (
        "accuracy: verification, at a threshold chosen on other identities; eer: equal error rate; "
        "top_1: recognition among the test identities, one image of each enrolled"
    )
    losses: ClassVar[tuple[str, ...]] = tuple(similarity.LOSSES)
    images_per_label: ClassVar[int | None] = 4

    @classmethod
    def create(cls, data: Data, label_smoothing: float = 0.0, loss: str | None = None) -> "Embedding":
        """Embedding of the images of a data set, whose classes are the identities.

        Raises:
          ValueError: a data set without identities, or labels to smooth.
        """
        if label_smoothing:
            raise ValueError(f"label_smoothing={label_smoothing}: task='embedding' compares labels, expected 0")
        if len(data.classes) < 2:
            raise ValueError(f"task='embedding': expected a data set with identities, this one has {data.classes}")
        choice("loss", loss or cls.losses[0], cls.losses)
        return cls(kind=loss or cls.losses[0])

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """(D,): the embedding of one image, of any length."""
        return (self.width,)

    def check(self, split: Split) -> None:
        """Refuse images without pairs of one identity.

        Raises:
          ValueError: fewer than 2 identities of even and of odd labels with 2 images each.
        """
        counts = np.bincount(split.labels)
        if (counts[counts > 0] == 1).all():
            raise ValueError(
                f"task='embedding': each of the {(counts > 0).sum():,} identities has one image: no pair of one "
                "identity can be made, so how a face varies cannot be learned and verification cannot either; "
                "expected several images of each"
            )
        halves = [int((counts[half::2] > 1).sum()) for half in (0, 1)]
        if min(halves) < 2:
            raise ValueError(
                f"task='embedding': {halves[0]} identities of even and {halves[1]} of odd labels have 2 images or "
                "more: expected 2 of each, because a threshold is chosen on one half and applied to the other"
            )

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Loss of each image as an anchor: (N,) float32, whose mean is that over the pairs of the batch."""
        return self._losses(similarity.unit(outputs), targets, jnp.ones(len(targets), bool))

    def _losses(self, embeddings: jax.Array, targets: jax.Array, counted: jax.Array) -> jax.Array:
        return similarity.LOSSES[self.kind](embeddings, targets, counted)

    def empty(self, examples: int = 0) -> Metrics:
        """Metrics of no images."""
        gallery = None
        if examples:
            embeddings, labels = jnp.zeros((examples, self.width), jnp.float32), jnp.zeros(examples, jnp.int32)
            gallery = Gallery(embeddings, labels, jnp.zeros((), jnp.int32))
        pairs = Counts.zeros(verification.GROUPS, 2, verification.BINS)
        return Metrics(jnp.zeros((), jnp.float32), jnp.zeros((), jnp.float32), pairs, gallery)

    def update(self, metrics: Metrics, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Metrics:
        """Metrics with a batch added: its pairs, and those with the images of the gallery so far.

        Args:
          metrics: so far.
          outputs: (N, D) embeddings of any length.
          targets: (N,) int32 labels.
          weights: (N,) 1, or 0 for an image that does not count.

        Returns:
          The new `Metrics`.
        """
        embeddings, counted, gallery = similarity.unit(outputs), weights > 0, metrics.gallery
        losses = self._losses(embeddings, targets, counted)
        once = jnp.triu(jnp.ones((len(targets), len(targets)), bool), 1) & counted[:, None] & counted[None, :]
        pairs = verification.histogram(embeddings @ embeddings.T, targets, targets, once)
        if gallery is not None:
            rows = len(gallery.labels)
            before = (jnp.arange(rows) < gallery.filled)[None, :] & counted[:, None]
            cosines = embeddings @ gallery.embeddings.T
            pairs = pairs + verification.histogram(cosines, targets, gallery.labels, before)
            # Images that do not count go to a row that does not exist.
            places = jnp.where(counted, gallery.filled + jnp.cumsum(counted) - 1, rows)
            gallery = Gallery(
                gallery.embeddings.at[places].set(embeddings, mode="drop"),
                gallery.labels.at[places].set(targets, mode="drop"),
                gallery.filled + jnp.sum(counted),
            )
        loss = metrics.loss + jnp.sum(losses * weights)
        return Metrics(loss, metrics.images + jnp.sum(weights), metrics.pairs.add(pairs), gallery)

    def running(self, metrics: Metrics) -> dict[str, jax.Array]:
        """Mean loss, and verification accuracy so far."""
        accuracy, _ = verification.accuracy(metrics.pairs.rounded())
        return {"loss": metrics.loss / metrics.images, "accuracy": accuracy}

    def summarize(self, metrics: Metrics) -> dict[str, float]:
        """The figures of an epoch.

        Returns:
          `loss`; `accuracy` of verification and its `threshold`, a cosine; `eer`; and of an evaluation split
          `top_1`, the accuracy of recognition.

        Raises:
          ValueError: there were no images.
        """
        if not float(metrics.images):
            raise ValueError("metrics of no images: add a batch first")
        pairs = metrics.pairs.exact()
        accuracy, threshold = verification.accuracy(pairs.astype(np.float32))
        figures = {"loss": float(metrics.loss / metrics.images), "accuracy": float(accuracy)}
        figures |= {"threshold": float(threshold), "eer": verification.curve(pairs.sum(0)).equal_error}
        if metrics.gallery is not None:
            count = int(metrics.gallery.filled)
            embeddings, labels = (np.asarray(part)[:count] for part in metrics.gallery[:2])
            figures["top_1"] = verification.top_1(embeddings, labels)[0]
        return figures

    def draw(self, images: np.ndarray, outputs: np.ndarray, targets: np.ndarray, metrics: Metrics) -> "Figure | None":
        """The ROC of the test images, and the distributions of their similarities."""
        from train.tasks import pictures

        counts = metrics.pairs.exact().sum(0)
        return pictures.verification(verification.curve(counts), counts)

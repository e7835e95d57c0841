"""Nearest adversarial images in L2: their distances over all images, and by class."""

import dataclasses

import numpy as np

from analysis import attacks
from analysis.draw import histogram
from analysis.execution import as_argument
from analysis.report.findings import Findings, Log, Predictions, logits_of
from analysis.report.markup import picture, svg, table
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest adversarial images.

    Attributes:
      indices: (M,) test images, all classified correctly.
      images: (M, H, W, C) adversarial, or the image itself where there is none.
      distances: (M,) Euclidean, for pixels in [0, 1]; NaN: no adversarial image.
    """

    indices: np.ndarray
    images: np.ndarray
    distances: np.ndarray


def measure(subject: Subject, settings: Settings, predictions: Predictions, rows: np.ndarray, log: Log) -> Nearest:
    """Attack these test images by DDN, and confirm each success by another call of the classifier."""
    images, labels = np.asarray(subject.images[rows], np.float32), predictions.labels[rows]
    log(f"DDN-{settings.nearest_steps} on {len(rows)} images")
    changed = np.asarray(
        attacks.ddn(
            as_argument(subject.logits_fn),
            images,
            labels,
            steps=settings.nearest_steps,
            batch_size=settings.batch_size,
        )
    )
    confirmed = Predictions(labels, logits_of(subject, settings, changed)).classes != labels
    change = np.asarray(changed, np.float64) - images
    distances = np.sqrt((change**2).sum((1, 2, 3)))
    kept = np.where(confirmed[:, np.newaxis, np.newaxis, np.newaxis], changed, images)
    return Nearest(rows, kept, np.where(confirmed, distances, np.nan))


def draw(subject: Subject, findings: Findings, nearest: Nearest) -> str:
    """Histogram and table as HTML; empty where no image has an adversarial neighbour."""
    reached = nearest.distances[np.isfinite(nearest.distances)]
    if not reached.size:
        return f"<p>DDN reached no other class from any of {len(nearest.indices):,} images.</p>"
    labels = findings.predictions.labels[nearest.indices]
    rows = []
    for label in np.unique(labels):
        own = nearest.distances[labels == label]
        near = own[np.isfinite(own)]
        figures = (f"{near.min():.3f}", f"{np.median(near):.3f}") if near.size else ("–", "–")
        rows.append([subject.classes[label], f"{len(own):,}", f"{near.size:,}", *figures])
    median = float(np.median(reached))
    missed = len(nearest.indices) - reached.size
    return (
        "<h3>The nearest adversarial images</h3>"
        + picture(
            svg(
                histogram(reached, "L2 distance to the nearest adversarial image"),
                "nearest",
                f"histogram of {reached.size} distances from {reached.min():.3g} to {reached.max():.3g}, "
                f"median {median:.3g}",
            ),
            f"Euclidean distance, for pixels in [0, 1], from {reached.size:,} correctly classified images to the "
            f"nearest image of another class, as DDN finds it in {findings.settings.nearest_steps} steps: upper "
            f"bounds, since a longer search may come nearer. Line: the median, {median:.3g}."
            + (f" From {missed:,} more images no other class was reached." if missed else ""),
        )
        + table(
            ["class", "images", "reached", "smallest", "median"],
            rows,
            "The same distances by the true class. Reached: images from which another class was reached.",
        )
    )

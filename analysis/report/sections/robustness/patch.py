"""An adversarial patch: trained on some test images, laid on others, and its success rate."""

import dataclasses
import html

import jax
import jax.numpy as jnp
import numpy as np

from analysis import attacks
from analysis.execution import as_argument
from analysis.report.findings import Findings, Log, Predictions, logits_of
from analysis.report.markup import interval, percent, picture, plate, reduced, verdict
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Patched:
    """A patch and what it does.

    Attributes:
      patch: (size, size, C) its pixels.
      target: the class that it is for.
      trained: number of images that it was trained on.
      indices: (M,) other test images, none of the target class.
      images: (M, H, W, C) with the patch.
      probabilities: (M, K) of them.
      before: share of the images that are taken for the target without the patch.
      control: share with a patch of the same size, places and angles in mid-grey.
    """

    patch: np.ndarray
    target: int
    trained: int
    indices: np.ndarray
    images: np.ndarray
    probabilities: np.ndarray
    before: float
    control: float

    @property
    def success(self) -> float:
        """Share of the images that are taken for the target with the patch."""
        return float((self.probabilities.argmax(1) == self.target).mean())


def likeliest_target(predictions: Predictions) -> int:
    """The class that images of the other classes are most readily taken for: of the highest mean probability."""
    probabilities = predictions.probabilities
    others = np.arange(probabilities.shape[1]) != predictions.labels[:, np.newaxis]
    return int(np.argmax((probabilities * others).sum(0) / np.maximum(others.sum(0), 1)))


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Patched | None:
    """Train a patch on the first half of the attacked images and lay it on the second; None: the second is empty."""
    target = likeliest_target(predictions)
    count = min(settings.attacked, len(predictions.labels))
    trained = count // 2
    rows = np.arange(trained, count)
    rows = rows[predictions.labels[rows] != target]
    if not trained or not len(rows):
        return None
    images, logits_fn = np.asarray(subject.images, np.float32), as_argument(subject.logits_fn)
    size = max(1, round(settings.patch_side * min(images.shape[1:3])))
    log(f"patch of {size}² pixels, {settings.patch_steps} steps on {trained} images")
    key, other = jax.random.split(jax.random.key(settings.seed))
    patch = attacks.adversarial_patch(
        logits_fn, images[:trained], target, size, key, steps=settings.patch_steps, batch_size=settings.batch_size
    )
    grey = dataclasses.replace(patch, pixels=jnp.full_like(patch.pixels, 0.5))
    laid, blank = (np.asarray(one.apply(images[rows], other, settings.batch_size)) for one in (patch, grey))
    answers, plain = (Predictions(predictions.labels[rows], logits_of(subject, settings, one)) for one in (laid, blank))
    return Patched(
        np.asarray(patch.pixels),
        target,
        trained,
        rows,
        laid,
        answers.probabilities,
        before=float((predictions.classes[rows] == target).mean()),
        control=float((plain.classes == target).mean()),
    )


def draw(subject: Subject, findings: Findings, patched: Patched) -> str:
    """The patch and a contact sheet of images with it, as HTML."""
    target, count = html.escape(subject.classes[patched.target]), len(patched.indices)
    side = patched.patch.shape[0]
    cards = [plate(patched.patch, f"the patch for class {subject.classes[patched.target]}", "the patch")]
    shown = slice(0, findings.settings.patched)
    for image, shares, index in zip(
        reduced(patched.images[shown]), patched.probabilities[shown], patched.indices[shown], strict=True
    ):
        truth = int(subject.labels[index])
        name = f"{html.escape(subject.name(index))}: {html.escape(subject.classes[truth])}"
        alt = f"test image {index}, class {subject.classes[truth]}, with the patch"
        cards.append(plate(image, alt, name, verdict(subject.classes, shares, truth, "→ ")))
    return "<h3>An adversarial patch</h3>" + picture(
        f'<div class="cards">{"".join(cards)}</div>',
        f"One patch of {side} × {side} pixels, trained in {findings.settings.patch_steps} steps on {patched.trained} "
        f"test images to make any of them be taken for class {target}, at any place, turned by up to 22.5 degrees and "
        f"scaled by 0.8 to 1.2. Laid at random on {count:,} other test images of other classes, it makes "
        f"{percent(patched.success, count)} of them ({interval(patched.success, count)}) be taken for {target}; "
        f"without a patch {percent(patched.before, count)} are, with a mid-grey patch in the same places "
        f"{percent(patched.control, count)}. Shown: the first {len(cards) - 1}, below each the prediction, "
        "<span class=wrong>marked</span> where wrong, with its probability.",
    )

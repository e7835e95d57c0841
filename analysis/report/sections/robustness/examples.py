"""Adversarial examples: a few images, what several attacks change in them, and the result."""

import dataclasses
import html

import jax
import numpy as np

from analysis import attacks
from analysis.attacks.evaluation.evaluations import radius_text
from analysis.execution import as_argument
from analysis.report.findings import Findings, Log, Predictions, logits_of
from analysis.report.markup import picture, plate, verdict
from analysis.report.sections.robustness.nearest import Nearest
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Attacked:
    """Images after one attack.

    Attributes:
      name: of the attack.
      images: (M, H, W, C).
      probabilities: (M, K), the softmax of their logits.
      span: the change of a value that is drawn in white, or below zero in black.
    """

    name: str
    images: np.ndarray
    probabilities: np.ndarray
    span: float


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Adversarial examples.

    Attributes:
      indices: (M,) which test images, all classified correctly.
      epsilon: the bound of PGD, as a fraction of the pixel range.
      attacked: by PGD within that bound, and by DDN, the nearest in L2.
    """

    indices: np.ndarray
    epsilon: float
    attacked: tuple[Attacked, ...]


def measure(
    subject: Subject,
    settings: Settings,
    predictions: Predictions,
    rows: np.ndarray,
    epsilon: float,
    nearest: Nearest,
    log: Log,
) -> Examples:
    """Attack a few images within a bound; their nearest adversarial images are there already."""
    images, labels, size = np.asarray(subject.images[rows], np.float32), predictions.labels[rows], settings.batch_size
    log(f"PGD-{settings.steps} on {len(rows)} images, ε = {radius_text(epsilon)}")
    bounded = attacks.pgd(
        as_argument(subject.logits_fn),
        images,
        labels,
        attacks.Linf(epsilon),
        steps=settings.steps,
        key=jax.random.key(settings.seed),
        batch_size=size,
    )
    near = nearest.images[np.searchsorted(nearest.indices, rows)]
    largest = float(np.abs(near - images).max())
    attacked = []
    for name, changed, span in (("PGD", np.asarray(bounded), epsilon), ("DDN", near, largest or 1.0)):
        answers = Predictions(labels, logits_of(subject, settings, changed))
        attacked.append(Attacked(name, changed, answers.probabilities, span))
    return Examples(rows, epsilon, tuple(attacked))


def draw(subject: Subject, findings: Findings, examples: Examples) -> str:
    """A row of pictures for each image, as HTML."""
    strips = []
    for row, index in enumerate(examples.indices):
        truth, before = int(subject.labels[index]), findings.predictions.probabilities[index]
        name, subtitle = html.escape(subject.name(index)), f"test image {index}, class {subject.classes[truth]}"
        plates = [plate(subject.images[index], subtitle, name, verdict(subject.classes, before, truth))]
        for one in examples.attacked:
            change, after = one.images[row] - subject.images[index], one.probabilities[row]
            guess = subject.classes[int(after.argmax())]
            length = f'<span class="below">L∞ {abs(change).max():.2g}, L2 {np.sqrt((change**2).sum()):.2g}</span>'
            plates += [
                plate(0.5 + change / (2 * one.span), f"change by {one.name} of {subtitle}", f"change by {one.name}"),
                plate(
                    one.images[row],
                    f"{subtitle}, attacked by {one.name}; predicted {guess}",
                    "attacked",
                    verdict(subject.classes, after, truth) + length,
                ),
            ]
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    bounded, near = examples.attacked
    return "<h3>Adversarial examples</h3>" + picture(
        f'<div class="strips fives">{"".join(strips)}</div>',
        f"{len(strips)} images that are classified correctly, and the same after two attacks, with the predictions "
        f"and their probabilities. PGD, {findings.settings.steps} steps, maximises the loss within ε = "
        f"{radius_text(examples.epsilon)} (L∞); its change is magnified {_magnified(bounded)} times about mid-grey: "
        f"black −ε, white +ε. DDN looks for the nearest image of another class in L2; its change is magnified "
        f"{_magnified(near)} times: black −{near.span:.2g}, white +{near.span:.2g}. Below: the size of the change, "
        "for pixels in [0, 1].",
    )


def _magnified(attacked: Attacked) -> str:
    return f"{1 / (2 * attacked.span):.3g}"

"""Robustness of a report: accuracy under attack, and adversarial examples."""

import dataclasses
import html

import jax
import numpy as np

from analysis import attacks
from analysis.draw import robustness as chart_of
from analysis.report.findings import Findings, Log, Predictions, Section, first_of_each_class, logits_of
from analysis.report.markup import percent, picture, plate, svg, table, verdict
from analysis.report.settings import Settings
from analysis.report.subject import Subject
from convzoo.plots import in_percent


@dataclasses.dataclass(frozen=True, eq=False)
class Adversarial:
    """Adversarial examples at one bound.

    Attributes:
      indices: (M,) which test images.
      epsilon: the bound, as a fraction of the pixel range.
      images: (M, H, W, C), attacked by PGD.
      probabilities: (M, K), the softmax of their logits.
    """

    indices: np.ndarray
    epsilon: float
    images: np.ndarray
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """Accuracy under attack.

    Attributes:
      attacked: number of test images that were attacked, the first of the set.
      accuracies: of each attack at each of `Settings.epsilons`, by its name.
      examples: at the smallest bound that halves PGD's accuracy, else at the largest; None: no image was classified
        correctly.
    """

    attacked: int
    accuracies: dict[str, np.ndarray]
    examples: Adversarial | None


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Robustness:
    """Accuracy of the first test images under FGSM and PGD at each bound."""
    images = np.asarray(subject.images[: settings.attacked], np.float32)
    labels = predictions.labels[: settings.attacked]
    correct = predictions.classes[: settings.attacked] == labels
    shown = first_of_each_class(labels, np.flatnonzero(correct), settings.fooled)
    accuracies = {name: [float(correct.mean())] for name in ("FGSM", "PGD")}
    examples: Adversarial | None = None
    for epsilon in settings.epsilons[1:]:
        log(f"FGSM and PGD-{settings.steps} on {len(images)} images, ε = {255 * epsilon:g}/255")
        adversarial = _attacked(subject, settings, images, labels, attacks.Linf(epsilon))
        attacked = {
            name: Predictions(labels, logits_of(subject, settings, changed)) for name, changed in adversarial.items()
        }
        halved = accuracies["PGD"][-1] <= accuracies["PGD"][0] / 2
        for name, answers in attacked.items():
            accuracies[name].append(answers.accuracy)
        if len(shown) and not halved:
            examples = Adversarial(
                shown, epsilon, np.asarray(adversarial["PGD"])[shown], attacked["PGD"].probabilities[shown]
            )
    return Robustness(len(images), {name: np.array(values) for name, values in accuracies.items()}, examples)


def _attacked(subject: Subject, settings: Settings, images, labels, threat: attacks.Threat) -> dict[str, jax.Array]:
    key, size = jax.random.key(settings.seed), settings.batch_size
    return {
        "FGSM": attacks.fgsm(subject.logits_fn, images, labels, threat, batch_size=size),
        "PGD": attacks.pgd(subject.logits_fn, images, labels, threat, steps=settings.steps, key=key, batch_size=size),
    }


def draw(subject: Subject, findings: Findings) -> str:
    """Curve, table and examples as HTML."""
    settings = findings.settings
    measured: Robustness = findings.sections["robustness"]
    names = {"FGSM": "FGSM", "PGD": f"PGD, {settings.steps} steps"}
    curves = {names[name]: values for name, values in measured.accuracies.items()}
    count = measured.attacked
    ends = "; ".join(
        f"{name} from {percent(values[0], count)} to {percent(values[-1], count)}"
        for name, values in measured.accuracies.items()
    )
    rows = [[name, *(in_percent(value, count) for value in values)] for name, values in curves.items()]
    return (
        "<section id=robustness><h2>Robustness</h2>"
        + picture(
            svg(
                chart_of(settings.epsilons, curves, 1 / len(subject.classes)),
                "robustness",
                f"accuracy under attack: {ends}",
            ),
            f"Accuracy on the first {measured.attacked:,} test images under untargeted attacks that see the weights "
            "and change each pixel by at most ε (L∞), inside [0, 1]. FGSM takes one step of ε along the sign of the "
            f"loss's gradient; PGD starts at random, takes {settings.steps} steps of {2.5 / settings.steps:g} ε "
            "and keeps the worst it met. An upper bound: a stronger attack may leave less. The axis is logarithmic, "
            "and the images as they are, ε = 0, stand apart. Dotted: guessing.",
        )
        + table(
            ["ε · 255", *(f"{255 * epsilon:g}" for epsilon in settings.epsilons)],
            rows,
            f"The same, in percent of {count:,} images.",
        )
        + ("" if measured.examples is None else _examples(subject, findings, measured.examples))
        + "</section>"
    )


def bound(epsilon: float) -> str:
    """A bound in steps of 1/255.

    Example:
      >>> bound(8 / 255)
      '8/255'
    """
    return f"{255 * epsilon:.3g}/255"


def _examples(subject: Subject, findings: Findings, examples: Adversarial) -> str:
    strips = []
    for row, index in enumerate(examples.indices):
        truth = int(subject.labels[index])
        before, after = findings.predictions.probabilities[index], examples.probabilities[row]
        change = 0.5 + (examples.images[row] - subject.images[index]) / (2 * examples.epsilon)
        name, what = html.escape(subject.name(index)), f"test image {index}, class {subject.classes[truth]}"
        plates = (
            plate(subject.images[index], what, name, verdict(subject.classes, before, truth)),
            plate(change, f"what PGD changed in {what}", "change"),
            plate(
                examples.images[row],
                f"{what}, attacked; predicted {subject.classes[int(after.argmax())]}",
                "attacked",
                verdict(subject.classes, after, truth),
            ),
        )
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    return picture(
        f'<div class="strips threes">{"".join(strips)}</div>',
        f"Adversarial examples of PGD at ε = {bound(examples.epsilon)}: the image, the change magnified "
        f"{1 / (2 * examples.epsilon):.3g} times about mid-grey (black −ε, white +ε), and the attacked image, "
        "with the predictions and their probabilities.",
    )


SECTION = Section(draw, measure)

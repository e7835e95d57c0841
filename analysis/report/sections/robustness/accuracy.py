"""Accuracy under attack over the bound: a suite of attacks, FGSM beside it, and what clipping takes."""

import dataclasses
import html

import jax
import numpy as np

from analysis import attacks
from analysis.draw import robustness as chart_of
from analysis.execution import as_argument
from analysis.numerics import wilson
from analysis.report.findings import Findings, Log, Predictions, logits_of
from analysis.report.markup import interval, percent, picture, svg, table
from analysis.report.settings import Settings
from analysis.report.subject import Subject
from convzoo.plots import in_percent

SUITE = "quick"


@dataclasses.dataclass(frozen=True, eq=False)
class Accuracy:
    """Accuracy of the first test images under attack.

    Attributes:
      evaluation: by the suite, at each bound but 0.
      fgsm: (E,) accuracy under FGSM at each of `Settings.epsilons`.
      lost: (E − 1,) share of FGSM's step that clipping to [0, 1] takes, at each bound but 0.
    """

    evaluation: attacks.Evaluation
    fgsm: np.ndarray
    lost: np.ndarray

    @property
    def attacked(self) -> int:
        """Number of images."""
        return len(self.evaluation.level)

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """(E,) shares still classified correctly after each attack of the suite and those before it, by name."""
        clean = self.evaluation.clean
        return {name: np.array([clean, *values]) for name, values in self.evaluation.curve.items()}

    @property
    def robust(self) -> np.ndarray:
        """(E,) shares that no attack of the suite breaks."""
        levels = np.arange(-1, len(self.evaluation.radii))[:, np.newaxis]
        return (self.evaluation.level > levels).mean(1)

    @property
    def halving(self) -> float:
        """The smallest bound that halves the accuracy, else the largest."""
        radii, robust = self.evaluation.radii, self.robust
        return next((radii[at] for at, share in enumerate(robust[1:]) if share <= robust[0] / 2), radii[-1])


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Accuracy:
    """Evaluate the first test images at each bound."""
    images = np.asarray(subject.images[: settings.attacked], np.float32)
    labels, logits_fn = predictions.labels[: settings.attacked], as_argument(subject.logits_fn)
    threats = [attacks.Linf(epsilon) for epsilon in settings.epsilons[1:]]
    key, size = jax.random.key(settings.seed), settings.batch_size
    evaluation = attacks.evaluate(logits_fn, images, labels, threats, SUITE, key, size, log=log)
    fgsm, lost = [evaluation.clean], []
    log(f"FGSM on {len(images)} images, {len(threats)} bounds")
    for threat in threats:
        changed = np.asarray(attacks.fgsm(logits_fn, images, labels, threat, batch_size=size))
        fgsm.append(Predictions(labels, logits_of(subject, settings, changed)).accuracy)
        lost.append(clipped(images, changed, threat.eps))
    return Accuracy(evaluation, np.array(fgsm), np.array(lost))


def clipped(images: np.ndarray, changed: np.ndarray, epsilon: float) -> float:
    """The share of steps of length ε that clipping to [0, 1] takes.

    Args:
      images: (N, H, W, C) in [0, 1].
      changed: (N, H, W, C) after one step of ±ε for each value, clipped; values inside (0, 1) that did not move had
        no gradient and are left out.
      epsilon: length of the step.

    Example:
      >>> clipped(np.array([0.0, 0.25, 0.5, 0.5]), np.array([0.0, 0.0, 0.0, 0.5]), 0.5)
      0.5
    """
    change = np.abs(np.asarray(changed, np.float64) - images)
    counted = (change > 0) | (images <= 0) | (images >= 1)
    return float(np.clip(1 - change[counted].mean() / epsilon, 0, 1)) if counted.any() else 0.0


def draw(subject: Subject, findings: Findings, measured: Accuracy) -> str:
    """Curve, table and warnings as HTML."""
    settings, count = findings.settings, measured.attacked
    first, *others = measured.curves
    curves = {"FGSM": measured.fgsm, first: measured.curves[first]}
    curves |= {f"then {name}": measured.curves[name] for name in others}
    robust = measured.robust
    ends = "; ".join(
        f"{name} from {percent(values[0], count)} to {percent(values[-1], count)}" for name, values in curves.items()
    )
    low, high = np.array([wilson(share, count) for share in robust]).T
    chart = chart_of(settings.epsilons, curves, 1 / len(subject.classes), band=(low, high))
    rows = [[name, *(in_percent(value, count) for value in values)] for name, values in curves.items()]
    rows.append(["95\u00a0% interval", *(interval(share, count).removesuffix("\u00a0%") for share in robust)])
    rows.append(["clipped away", "", *(f"{100 * share:.0f}" for share in measured.lost)])
    return (
        picture(
            svg(chart, "robustness", f"accuracy under attack: {ends}"),
            f"Accuracy on the first {count:,} test images under untargeted attacks that see the weights and change "
            "each pixel by at most ε (L∞), inside [0, 1]. FGSM takes one step of ε along the sign of the loss's "
            f"gradient. {_suite(measured)} Shaded: 95\u00a0% interval of the last curve. The axis is logarithmic, and "
            "the images as they are, ε = 0, stand apart. Dotted: guessing.",
        )
        + table(
            ["ε · 255", *(f"{255 * epsilon:g}" for epsilon in settings.epsilons)],
            rows,
            f"The same, in percent of {count:,} images, with Wilson's 95\u00a0% interval of the last curve. Clipped "
            "away: the share of FGSM's step that lies outside [0, 1], in percent, mean over the values of all images.",
        )
        + _remarks(measured.evaluation)
    )


def _suite(measured: Accuracy) -> str:
    """The attacks of the suite in a sentence or two."""
    first, *others = measured.curves
    order = "".join(f", then {name} on the images that are left" for name in others)
    return (
        f"The suite runs {first}{order}, each with up to {attacks.SUITES[SUITE][0].settings['steps']} steps of "
        "adaptive length; an image that is broken within one bound is broken within all larger ones. An upper bound: "
        "a stronger attack may leave less."
    )


def _remarks(evaluation: attacks.Evaluation) -> str:
    """Warnings and shortfalls as a list."""
    lines = [f"Warning: {warning.message}." for warning in evaluation.warnings] or [
        "None of the checks for masked gradients, a random classifier, dependence on the batch or attacks that have "
        "not converged raised a warning."
    ]
    lines += [
        f"{name} leaves {percent(share)} of the way to the optimum undone on the linearized classifier, where the "
        "optimum is known."
        for name, share in evaluation.shortfalls.items()
    ]
    return f"<ul class=remarks>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"

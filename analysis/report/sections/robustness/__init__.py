"""Robustness of a report: accuracy under attack, adversarial examples, the nearest ones, and a patch."""

import dataclasses

import numpy as np

from analysis.report.findings import Findings, Log, Predictions, Section, first_of_each_class
from analysis.report.sections.robustness import accuracy, attribution, examples, nearest, patch
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Robustness:
    """Measurements under attack, each on the first test images.

    Attributes:
      accuracy: at each of `Settings.epsilons`.
      nearest: of the images that are classified correctly; None: there are none.
      examples: of a few of them, with the smallest bound that halves the accuracy, else the largest.
      attribution: of one of them, before and after the attack.
      patch: trained on some images and measured on others; None: there are no others.
    """

    accuracy: accuracy.Accuracy
    nearest: nearest.Nearest | None
    examples: examples.Examples | None
    attribution: attribution.Attribution | None
    patch: patch.Patched | None


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Robustness:
    """Attack the first test images in several ways."""
    shares = accuracy.measure(subject, settings, predictions, log)
    correct = np.flatnonzero(predictions.classes[: settings.attacked] == predictions.labels[: settings.attacked])
    changed = shifted = neighbours = None
    if len(correct):
        neighbours = nearest.measure(subject, settings, predictions, correct, log)
        shown = first_of_each_class(predictions.labels, correct, settings.fooled)
        changed = examples.measure(subject, settings, predictions, shown, shares.halving, neighbours, log)
        shifted = attribution.measure(subject, settings, predictions, changed, log)
    return Robustness(shares, neighbours, changed, shifted, patch.measure(subject, settings, predictions, log))


def draw(subject: Subject, findings: Findings) -> str:
    """All of it as HTML."""
    measured: Robustness = findings.sections["robustness"]
    parts = [accuracy.draw(subject, findings, measured.accuracy)]
    if measured.examples is not None:
        parts.append(examples.draw(subject, findings, measured.examples))
    if measured.attribution is not None:
        parts.append(attribution.draw(subject, findings, measured.attribution))
    if measured.nearest is not None:
        parts.append(nearest.draw(subject, findings, measured.nearest))
    if measured.patch is not None:
        parts.append(patch.draw(subject, findings, measured.patch))
    return f"<section id=robustness><h2>Robustness</h2>{''.join(parts)}</section>"


SECTION = Section(draw, measure)

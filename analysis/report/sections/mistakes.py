"""Mistakes of a report: the confusion matrix and the hardest test images."""

import html

import numpy as np

from analysis.draw import confusion_matrix
from analysis.report.findings import Findings, Section
from analysis.report.markup import percent, picture, plate, svg, verdict
from analysis.report.subject import Subject


def draw(subject: Subject, findings: Findings) -> str:
    """Confusion matrix and hardest images as HTML."""
    confusion = findings.predictions.confusion
    errors = confusion - np.diag(np.diag(confusion))
    pairs = [(errors[pair], *pair) for pair in map(tuple, np.argwhere(errors))]
    worst = sorted(pairs, key=lambda pair: -pair[0])[:3]
    names = [html.escape(name) for name in subject.classes]
    confused = ", ".join(f"{names[truth]} taken for {names[guess]} ({count})" for count, truth, guess in worst)
    chart = svg(
        confusion_matrix(confusion, subject.classes),
        "confusion",
        f"confusion matrix of {len(names)} classes; {errors.sum()} of {confusion.sum()} images are off the diagonal",
        "square",
    )
    cards = [_card(subject, findings, index) for index in findings.predictions.hardest[: findings.settings.hardest]]
    named = "number in the test set" if subject.names is None else "file"
    return (
        "<section id=mistakes><h2>Mistakes</h2>"
        f"<p>{errors.sum():,} of {confusion.sum():,} test images are classified wrongly"
        f"{': most often ' + confused if worst else ''}.</p>"
        + picture(chart, "Confusion matrix: test images by true and predicted class, shaded by the share of the row.")
        + picture(
            f'<div class="cards">{"".join(cards)}</div>',
            f"The {len(cards)} hardest test images: those whose true class gets the lowest probability (softmax of the "
            f"logits). Above each its {named} and its class, below it the prediction, "
            "<span class=wrong>marked</span> where wrong, with its probability.",
        )
        + "</section>"
    )


def _card(subject: Subject, findings: Findings, index: int) -> str:
    truth, guess = int(subject.labels[index]), int(findings.predictions.classes[index])
    shares, name = findings.predictions.probabilities[index], html.escape(subject.classes[truth])
    return plate(
        subject.images[index],
        f"test image {index}, class {subject.classes[truth]}, predicted {subject.classes[guess]}",
        above=f"{html.escape(subject.name(index))}: {name}",
        below=verdict(subject.classes, shares, truth, "→ ")
        + f'<span class="below">{name}: {percent(shares[truth])}</span>',
    )


SECTION = Section(draw)

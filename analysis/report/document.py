"""A report as one self-contained HTML page: measures its sections, draws them, and joins them."""

import html

import numpy as np

from analysis.attacks.evaluation.evaluations import radius_text
from analysis.report.findings import Findings, Log, Predictions, logits_of
from analysis.report.markup import interval, percent
from analysis.report.sections import SECTIONS
from analysis.report.sections.robustness import Robustness
from analysis.report.settings import Settings
from analysis.report.style import CSS
from analysis.report.subject import Subject
from convzoo.commands import say


def examine(subject: Subject, settings: Settings, log: Log = say) -> Findings:
    """Measure what a report shows.

    Args:
      subject: the classifier and its test images.
      settings: how much is examined.
      log: called with a line at each step.

    Returns:
      The `Findings`; equal for equal arguments.
    """
    labels = np.asarray(subject.labels, np.int32)
    log(f"classifying {len(labels)} test images")
    predictions = Predictions(labels, logits_of(subject, settings, subject.images))
    measured = {
        name: None if section.measure is None else section.measure(subject, settings, predictions, log)
        for name, section in SECTIONS.items()
    }
    return Findings(settings, predictions, measured)


def page(subject: Subject, findings: Findings) -> str:
    """The whole page.

    Args:
      subject: the classifier that the report is about.
      findings: of `examine`.

    Returns:
      HTML with its style, pictures and charts inline.
    """
    parts = [section.draw(subject, findings) for section in SECTIONS.values()]
    body = "\n".join([_head(subject, findings), *parts, _origin(subject, findings)])
    rules = "".join(section.rules(subject, findings) for section in SECTIONS.values() if section.rules)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(subject.title)}</title>\n<style>{CSS}{rules}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _head(subject: Subject, findings: Findings) -> str:
    facts = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>" for name, value in subject.facts.items()
    )
    robustness: Robustness = findings.sections["robustness"]
    robust, predictions = robustness.accuracy.robust, findings.predictions
    middle, count, attacked = len(robust) // 2, len(subject.labels), robustness.accuracy.attacked
    return (
        f"<header><h1>{html.escape(subject.title)}</h1>"
        f"<p>Of {count:,} test images {percent(predictions.accuracy, count)} are classified correctly"
        f" ({int(np.trace(predictions.confusion)):,}; Wilson's 95\u00a0% interval "
        f"{interval(predictions.accuracy, count)}).</p>"
        f"<p>Of the first {attacked:,} of them {percent(robust[0], attacked)} ({interval(robust[0], attacked)}) are "
        "classified correctly as they are, "
        f"and {percent(robust[middle], attacked)} ({interval(robust[middle], attacked)}) after attacks have changed "
        f"every pixel by up to {radius_text(findings.settings.epsilons[middle])} of its range.</p>"
        f'<dl class="facts">{facts}</dl></header>'
    )


def _origin(subject: Subject, findings: Findings) -> str:
    settings = findings.settings
    robustness: Robustness = findings.sections["robustness"]
    command = f"<p>Made by <code>{html.escape(subject.command)}</code></p>" if subject.command else ""
    return (
        f"<footer>{command}<p>Explained: the first test images of each class, {settings.explained} in all. Attacked: "
        f"the first {robustness.accuracy.attacked:,} test images; random numbers from seed "
        f"{settings.seed}.</p></footer>"
    )

"""Metrics of a report: loss and accuracy of the splits, and the figures of each class."""

from analysis.report.findings import Findings, Section
from analysis.report.markup import table
from analysis.report.subject import Subject
from convzoo.plots import in_percent

SHARES = ("accuracy", "precision", "recall", "f1")


def draw(subject: Subject, findings: Findings) -> str:
    """The tables as HTML."""
    parts = ["<section id=metrics><h2>Metrics</h2>"]
    if subject.history:
        last = subject.history[-1]
        splits = [name for name in ("train", "test") if name in last]
        names = list(last[splits[0]])
        images = {"test": len(subject.labels)} | dict(subject.counts)
        rows = [
            [split, *(_written(name, last[split][name], images.get(split, images["test"])) for name in names)]
            for split in splits
        ]
        parts.append(
            table(
                ["", *map(_title, names)],
                rows,
                f"After epoch {last['epoch']}. Loss: cross-entropy in nats, mean over images. The others: percent; "
                "precision, recall and F1 are means over classes. "
                "Training images are measured as they are seen in training, while the weights move.",
            )
        )
    if subject.per_class is not None:
        confusion = findings.predictions.confusion
        figures = subject.per_class(confusion)
        counts = confusion.sum(1)
        rows = [
            [name, f"{counts[k]:,}", *(_written(figure, values[k], counts[k]) for figure, values in figures.items())]
            for k, name in enumerate(subject.classes)
        ]
        parts.append(
            table(["class", "images", *map(_title, figures)], rows, "Test images, class by class; figures in percent.")
        )
    return "".join(parts) + "</section>"


def _title(name: str) -> str:
    return "F1" if name == "f1" else name


def _written(name: str, value: float, count: int) -> str:
    return in_percent(value, max(1, count)) if name in SHARES else f"{value:.4f}"


SECTION = Section(draw)

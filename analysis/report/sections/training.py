"""Training curves of a report."""

import numpy as np

from analysis.draw import curves
from analysis.report.findings import Findings, Section
from analysis.report.markup import picture, svg
from analysis.report.subject import Subject


def draw(subject: Subject, findings: Findings) -> str:
    """Loss and accuracy after each epoch as HTML; empty for fewer than two epochs."""
    if len(subject.history) < 2:
        return ""
    epochs = [line["epoch"] for line in subject.history]
    splits = [name for name in ("train", "test") if name in subject.history[-1]]
    charts = []
    for name, label, scale in (("loss", "cross-entropy (nats)", 1), ("accuracy", "accuracy (%)", 100)):
        series = {split: [scale * line[split][name] for line in subject.history] for split in splits}
        logarithmic = name == "loss" and min(map(min, series.values())) > 0
        chart = curves(series, np.array(epochs), ylabel=label, logarithmic=logarithmic)
        finals = ", ".join(f"{split} {values[-1]:.3g}" for split, values in series.items())
        charts.append(svg(chart, name, f"{label} over {len(epochs)} epochs; at the end {finals}"))
    return (
        "<section id=training><h2>Training</h2>"
        + picture(f'<div class="charts">{"".join(charts)}</div>', "Loss (logarithmic) and accuracy after each epoch.")
        + "</section>"
    )


SECTION = Section(draw)

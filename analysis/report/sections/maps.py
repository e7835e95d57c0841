"""Maps of a report: a few methods of the explorer side by side, with its targets and scales."""

import html

from analysis.attribution.methods import METHODS
from analysis.draw import blend, limit
from analysis.report.findings import Findings, Section
from analysis.report.maps import Maps
from analysis.report.markup import picture, plate, verdict
from analysis.report.sections.explorer import Explorer
from analysis.report.subject import Subject

SHOWN = ("saliency", "grad_cam", "occlusion")


def chosen(explorer: Explorer) -> list[Maps]:
    """The maps shown: of each method that the explorer has, those of the deepest layer."""
    deepest = {maps.name: maps for maps in explorer.maps}
    return [deepest[METHODS[name].label] for name in SHOWN if METHODS[name].label in deepest]


def draw(subject: Subject, findings: Findings) -> str:
    """The maps over their images as HTML."""
    explorer: Explorer = findings.sections["explorer"]
    methods, predictions = chosen(explorer), findings.predictions
    shown = explorer.indices[: findings.settings.explained]
    images = subject.images[shown]
    blends = [blend(images, maps.values[: len(shown)], limit(maps.values), maps.signed) for maps in methods]
    strips = []
    for row, index in enumerate(shown):
        label = int(subject.labels[index])
        truth, guess = subject.classes[label], subject.classes[int(explorer.targets[row])]
        below = verdict(subject.classes, predictions.probabilities[index], label)
        title = html.escape(f"{subject.name(index)}: {truth}")
        plates = [plate(images[row], f"test image {index}, class {truth}", title, below)]
        for maps, blended in zip(methods, blends, strict=True):
            plates.append(plate(blended[row], f"{maps.name} of test image {index} for class {guess}", maps.name))
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    bars = "".join(maps.bar for maps in methods)
    meanings = " ".join(
        f"{maps.name[0].upper()}{maps.name[1:]}: {maps.sentence[0].lower()}{maps.sentence[1:]}" for maps in methods
    )
    return (
        "<section id=maps><h2>Where it looks</h2>"
        + picture(
            f'<div class="strips fours">{"".join(strips)}</div><div class="bars">{bars}</div>',
            "Maps for the logit of the predicted class over the image in grey; below the image the prediction. "
            f"{meanings} "
            "Each method has one scale for all images, here and in the next figure, full at the 99.5th percentile of "
            f"the magnitudes over its {len(explorer.indices)} images.",
        )
        + "</section>"
    )


SECTION = Section(draw)

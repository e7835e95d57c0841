"""Maps of a report: a few methods side by side, for the true class."""

import dataclasses
import html

import numpy as np

from analysis.attribution.methods import METHODS
from analysis.draw import blend, limit
from analysis.report.findings import Findings, Log, Predictions, Section, first_of_each_class
from analysis.report.maps import Maps, maps_of
from analysis.report.markup import picture, plate, verdict
from analysis.report.settings import Settings
from analysis.report.subject import Subject

SHOWN = ("saliency", "grad_cam", "occlusion")


@dataclasses.dataclass(frozen=True, eq=False)
class Explained:
    """Maps of a few methods.

    Attributes:
      indices: (M,) test images, the first of as many classes as possible.
      maps: of each method, for the logit of the true class.
    """

    indices: np.ndarray
    maps: tuple[Maps, ...]


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Explained:
    """The maps of the methods that the subject allows, for the true class of some images."""
    labels = predictions.labels
    indices = first_of_each_class(labels, np.arange(len(labels)), settings.explained)
    maps = []
    for name in SHOWN:
        method = METHODS[name]
        if method.of_model and (subject.network is None or not subject.depths(1)):
            continue
        log(f"{method.label} of {len(indices)} images")
        maps.append(maps_of(subject, name, subject.images[indices], labels[indices]))
    return Explained(indices, tuple(maps))


def draw(subject: Subject, findings: Findings) -> str:
    """The maps over their images as HTML."""
    explained: Explained = findings.sections["maps"]
    images, predictions = subject.images[explained.indices], findings.predictions
    blends = [blend(images, maps.values, limit(maps.values), maps.signed) for maps in explained.maps]
    strips = []
    for row, index in enumerate(explained.indices):
        label = int(subject.labels[index])
        truth = subject.classes[label]
        below = verdict(subject.classes, predictions.probabilities[index], label)
        plates = [plate(images[row], f"test image {index}, class {truth}", f"no. {index}: {html.escape(truth)}", below)]
        for maps, blended in zip(explained.maps, blends, strict=True):
            plates.append(plate(blended[row], f"{maps.name} of test image {index} for class {truth}", maps.name))
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    bars = "".join(maps.bar(maps.name) for maps in explained.maps)
    meanings = " ".join(
        f"{maps.name[0].upper()}{maps.name[1:]}: {maps.sentence[0].lower()}{maps.sentence[1:]}"
        for maps in explained.maps
    )
    return (
        "<section id=maps><h2>Where it looks</h2>"
        + picture(
            f'<div class="strips fours">{"".join(strips)}</div><div class="bars">{bars}</div>',
            "Maps for the logit of the true class over the image in grey; below the image the prediction. "
            f"{meanings} "
            "Each method has one scale for all images, full at the 99.5th percentile of the magnitudes.",
        )
        + "</section>"
    )


SECTION = Section(draw, measure)

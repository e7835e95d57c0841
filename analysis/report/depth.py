"""What a model has learned, layer by layer: what its channels like, and what its layers keep."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from analysis.report.settings import Settings
from analysis.report.subject import Subject
from analysis.visualize.exemplars import TopImages, receptive_boxes, top_images
from analysis.visualize.inversion import Inversion, invert
from analysis.visualize.layer import find_layer, pooled
from analysis.visualize.optimal import Maximized, maximize
from analysis.visualize.specialization import class_information


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """One layer.

    Attributes:
      layer: its path.
      information: (U,) bits that the mean of each channel shown says about the class.
      top: the images that excite the U channels most.
      boxes: (U, count, 4) what the channels see of each, as `receptive_boxes` has it.
      made: images made to excite them.
      rebuilt: images from the layer's activation alone.
    """

    layer: str
    information: np.ndarray
    top: TopImages
    boxes: np.ndarray
    made: Maximized
    rebuilt: Inversion


@dataclasses.dataclass(frozen=True, eq=False)
class Depth:
    """A model from its first to its last layer.

    Attributes:
      levels: the layers, the shallowest first.
      classes: images made to raise the logit of each class.
      inverted: (I,) the test images that were rebuilt.
    """

    levels: tuple[Level, ...]
    classes: Maximized
    inverted: np.ndarray


def dig(subject: Subject, settings: Settings, log: Callable[[str], None]) -> Depth | None:
    """Look into a model, layer by layer; None where it cannot be looked into.

    The channels shown of a layer are those whose mean says most about the class.

    Args:
      subject: the classifier and its test images.
      settings: how much.
      log: told what is being done, a line at a time.
    """
    layers = subject.depths(settings.layers)
    if subject.inside is None or not layers:
        return None
    model, variables, preprocess = subject.inside
    images, labels = subject.images[: settings.searched], np.asarray(subject.labels)[: settings.searched]
    inverted = np.arange(min(settings.inverted, len(images)))
    key = jax.random.key(settings.seed)

    def make(layer, channels):
        shape = subject.images.shape[1:]
        return maximize(
            model, variables, shape, layer, channels, preprocess, steps=settings.ascent, key=key, batch_size=None
        )

    levels = []
    for layer in layers:
        log(f"{layer}: channels, their images, and {len(inverted)} images rebuilt")
        place = find_layer(model, variables, images, layer, preprocess)
        information = class_information(pooled(place, images, batch_size=settings.batch_size), labels)
        channels = np.argsort(-information, kind="stable")[: settings.units]
        count = min(settings.exemplars, len(images))
        top = top_images(model, variables, images, layer, channels, count, preprocess, settings.batch_size)
        boxes = receptive_boxes(model, variables, images, top, preprocess, settings.batch_size)
        rebuilt = invert(model, variables, images[inverted], layer, preprocess, steps=settings.descent, key=key)
        levels.append(Level(layer, information[channels], top, boxes, make(layer, channels), rebuilt))
    log(f"{len(subject.classes)} classes, maximised")
    return Depth(tuple(levels), make(None, np.arange(len(subject.classes))), inverted)

"""What a model has learned, layer by layer: what its channels like, and what its layers keep."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from analysis import taps
from analysis.diagnosis.classes import class_information
from analysis.features.invert import Inversion, invert
from analysis.features.maximize import maximize
from analysis.features.top_images import TopImages, receptive_boxes, top_images
from analysis.layers import find_layer, pooled
from analysis.numerics import at_least_float32
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """One layer.

    Attributes:
      layer: its path.
      information: (U,) bits that the mean of each channel shown says about the class.
      top: the images that excite the U channels most.
      boxes: (U, count, 4) what the channels see of each, as `receptive_boxes` has it.
      rebuilt: images from the layer's activation alone.
    """

    layer: str
    information: np.ndarray
    top: TopImages
    boxes: np.ndarray
    rebuilt: Inversion


@dataclasses.dataclass(frozen=True, eq=False)
class Depth:
    """A model from its first to its last layer.

    Attributes:
      levels: the layers, the shallowest first.
      made: (units + K, H, W, C) images made to raise the mean of each channel shown, level by level, and then the
        logit of each class.
      reached: (units + K,) what they raise it to.
      inverted: (I,) the test images that were rebuilt.
    """

    levels: tuple[Level, ...]
    made: np.ndarray
    reached: np.ndarray
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
    if subject.network is None or not layers:
        return None
    network = subject.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    images, labels = subject.images[: settings.searched], np.asarray(subject.labels)[: settings.searched]
    inverted = np.arange(min(settings.inverted, len(images)))
    key = jax.random.key(settings.seed)
    levels, first = [], 0
    wanted: list[int] = []
    for layer in layers:
        log(f"{layer}: channels, their images, and {len(inverted)} images rebuilt")
        place = find_layer(network, images, layer)
        information = class_information(pooled(place, images, batch_size=settings.batch_size), labels)
        channels = np.argsort(-information, kind="stable")[: settings.units].tolist()
        count = min(settings.exemplars, len(images))
        top = top_images(model, variables, images, layer, channels, count, preprocess, settings.batch_size)
        boxes = receptive_boxes(model, variables, images, top, preprocess, settings.batch_size)
        rebuilt = invert(model, variables, images[inverted], layer, preprocess, steps=settings.descent, key=key)
        levels.append(Level(layer, information[channels], top, boxes, rebuilt))
        wanted += [first + channel for channel in channels]
        first += place.channels
    log(f"{len(wanted)} channels and {len(subject.classes)} classes, maximised")
    wanted += range(first, first + len(subject.classes))
    shape = subject.images.shape[1:]
    made = maximize(_Means(model, layers), variables, shape, None, wanted, preprocess, steps=settings.ascent, key=key)
    return Depth(tuple(levels), np.asarray(made.images), np.asarray(made.activation), inverted)


class _Means(nn.Module):
    """A model whose outputs are the means of all channels of some layers, then its logits: one program for all."""

    model: nn.Module
    layers: tuple[str, ...]

    def apply(self, variables: Any, inputs: jax.Array) -> jax.Array:  # type: ignore[override]
        """In test mode; the variables are those of the model."""
        logits, seen = taps.run(self.model, variables, inputs, self.layers)
        means = [seen[layer].mean((1, 2)) for layer in self.layers]
        return jnp.concatenate([at_least_float32(row) for row in (*means, logits)], -1)

"""Inside of a report: what the channels of each layer respond to, and what the layers keep of an image."""

import dataclasses
import html
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from analysis import taps
from analysis.diagnosis.classes import class_information
from analysis.features.invert import Inversion, invert
from analysis.features.maximize import maximize
from analysis.features.top_images import TopImages, receptive_boxes, top_images
from analysis.layers import find_layer, pooled
from analysis.network import Network
from analysis.numerics import at_least_float32
from analysis.report.findings import Findings, Log, Predictions, Section
from analysis.report.markup import picture, plate, reduced
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Level:
    """One layer.

    Attributes:
      layer: its path.
      information: (U,) bits that the mean of each channel shown says about the class.
      highest: (U,) the largest mean of each of them on an image of the data.
      top: the images that excite the U channels most.
      boxes: (U, count, 4) what the channels see of each, as `receptive_boxes` has it.
      rebuilt: images from the layer's activation alone.
    """

    layer: str
    information: np.ndarray
    highest: np.ndarray
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


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Depth | None:
    """Top images, maximised images and inversions of several layers; None for a model without such layers.

    The channels shown of a layer are those whose mean says most about the class.
    """
    layers, network = subject.depths(settings.layers), subject.network
    if network is None or not layers:
        return None
    model, variables, preprocess = network.model, network.variables, network.preprocess
    key, inverted = (
        jax.random.key(settings.seed),
        np.arange(min(settings.inverted, settings.searched, len(subject.labels))),
    )
    levels, first = [], 0
    outputs: list[int] = []
    for layer in layers:
        log(f"{layer}: channels, their images, and {len(inverted)} images rebuilt")
        level, channels = _level(subject, network, settings, predictions, layer, inverted, key)
        levels.append(level)
        outputs += [first + channel for channel in level.top.channels.tolist()]
        first += channels
    log(f"{len(outputs)} channels and {len(subject.classes)} classes, maximised")
    outputs += range(first, first + len(subject.classes))
    shape = subject.images.shape[1:]
    made = maximize(_Means(model, layers), variables, shape, None, outputs, preprocess, steps=settings.ascent, key=key)
    return Depth(tuple(levels), np.asarray(made.images), np.asarray(made.activation), inverted)


def _level(subject, network: Network, settings, predictions, layer: str, inverted, key) -> tuple[Level, int]:
    """One layer, and how many channels it has."""
    about = network.model, network.variables
    images, labels = subject.images[: settings.searched], predictions.labels[: settings.searched]
    place = find_layer(network, images, layer)
    means = pooled(place, images, batch_size=settings.batch_size)
    information = class_information(means, labels)
    channels = np.argsort(-information, kind="stable")[: settings.units].tolist()
    count = min(settings.exemplars, len(images))
    top = top_images(*about, images, layer, channels, count, network.preprocess, settings.batch_size)
    boxes = receptive_boxes(*about, images, top, network.preprocess, settings.batch_size)
    rebuilt = invert(*about, images[inverted], layer, network.preprocess, steps=settings.descent, key=key)
    return Level(layer, information[channels], means.max(0)[channels], top, boxes, rebuilt), place.channels


class _Means(nn.Module):
    """A model whose outputs are the means of all channels of some layers, then its logits: one program for all."""

    model: nn.Module
    layers: tuple[str, ...]

    def apply(self, variables: Any, inputs: jax.Array) -> jax.Array:  # type: ignore[override]
        """In test mode; the variables are those of the model."""
        logits, activations = taps.run(self.model, variables, inputs, self.layers)
        means = [activations[layer].mean((1, 2)) for layer in self.layers]
        return jnp.concatenate([at_least_float32(row) for row in (*means, logits)], -1)


def draw(subject: Subject, findings: Findings) -> str:
    """Channels and classes maximised, top images and inversions as HTML; empty for a model without such layers."""
    depth: Depth | None = findings.sections["inside"]
    settings = findings.settings
    if depth is None:
        return ""
    searched = min(settings.searched, len(subject.labels))
    *starts, first = np.cumsum([0, *(len(level.top.channels) for level in depth.levels)])
    return (
        "<section id=inside><h2>What it has learned</h2>"
        + picture(
            "".join(_channels(subject, depth, level, start) for level, start in zip(depth.levels, starts, strict=True)),
            "The channels of each layer whose mean says most about the class: the number, and the bits in brackets. "
            f"First an image made to raise the mean of the channel ({settings.ascent} steps from noise), with that "
            "mean and the largest on an image of the data; grey where it is 0, since noise leaves the channel silent "
            "and there is no gradient to climb. Then "
            f"the images among the first {searched:,} of the test set on which the channel is largest anywhere, with "
            "their class and that value; framed: the pixels that it depends on. <i>Tie</i>: so many images share the "
            "largest value, as where a channel is saturated; they are ranked by the value before the activation "
            "function that saturates, or else in the order of the test set.",
        )
        + picture(
            f'<div class="cards">{"".join(_classes(subject, findings, depth, first))}</div>',
            f"Images made to raise the logit of each class ({settings.ascent} steps from noise), with that logit and "
            "the largest on a test image. They show what the network asks for, which need not look like the class.",
        )
        + picture(
            f'<div class="strips threes">{"".join(_rebuilt(subject, depth))}</div>',
            f"Images rebuilt from nothing but the activation of a layer ({settings.descent} steps, smooth where "
            "the layer does not care). Below each the correlation of its pixels with the image's: 1 where all is kept.",
        )
        + "</section>"
    )


def _channels(subject: Subject, depth: Depth, level: Level, start: int) -> str:
    rows = []
    for number, channel in enumerate(level.top.channels):
        title = f"channel {channel} of {level.layer}"
        ties = f", {level.top.ties[number]:,} tie" if level.top.ties[number] > len(level.top.indices[number]) else ""
        bits = f"<b>{channel}</b> ({level.information[number]:.2f}{ties})"
        made = _reached(depth.reached[start + number], level.highest[number])
        plates = [plate(_small(depth.made[start + number]), f"made for {title}", bits, made)]
        for index, value, box in zip(
            level.top.indices[number], level.top.activations[number], level.boxes[number], strict=True
        ):
            name = subject.classes[int(subject.labels[index])]
            what = f"test image {index}, class {name}, on which {title} is {value:.3g}"
            frame = _frame(box, subject.images.shape)
            plates.append(
                plate(_small(subject.images[index]), what, html.escape(name), f"<span>{value:.3g}</span>", frame)
            )
        rows.append(f'<div class="strip unit">{"".join(plates)}</div>')
    return f'<h3>{html.escape(level.layer)}</h3><div class="strips units">{"".join(rows)}</div>'


def _frame(box: np.ndarray, shape: tuple[int, ...]) -> str:
    """The frame of a receptive field, in percent of the image; none where it covers nothing."""
    top, left, bottom, right = box
    if bottom <= top or right <= left:
        return ""
    height, width = 100 / shape[1], 100 / shape[2]
    place = f"top:{top * height:.4g}%;left:{left * width:.4g}%"
    return f'<i style="{place};height:{(bottom - top) * height:.4g}%;width:{(right - left) * width:.4g}%"></i>'


def _reached(value: float, highest: float) -> str:
    """What an image made for a unit reaches, and the largest that the data reach."""
    return f'<span>{value:.3g}</span><span class="below">data: {highest:.3g}</span>'


def _classes(subject: Subject, findings: Findings, depth: Depth, first: int) -> list[str]:
    highest = findings.predictions.logits.max(0)
    return [
        plate(_small(image), f"made for class {name}", html.escape(name), _reached(logit, most))
        for name, image, logit, most in zip(
            subject.classes, depth.made[first:], depth.reached[first:], highest, strict=True
        )
    ]


def _rebuilt(subject: Subject, depth: Depth) -> list[str]:
    strips = []
    for row, index in enumerate(depth.inverted):
        name = html.escape(subject.classes[int(subject.labels[index])])
        title = f"{html.escape(subject.name(index))}: {name}"
        plates = [plate(_small(subject.images[index]), f"test image {index}", title)]
        for level in depth.levels:
            kept = f'<span class="below">{float(level.rebuilt.detail[row]):.2f}</span>'
            what = f"test image {index} rebuilt from {level.layer}"
            plates.append(plate(_small(level.rebuilt.images[row]), what, html.escape(level.layer), kept))
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    return strips


def _small(image: ArrayLike) -> np.ndarray:
    return reduced(np.asarray(image, np.float32)[np.newaxis])[0]


SECTION = Section(draw, measure)

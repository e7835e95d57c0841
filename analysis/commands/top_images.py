"""`python -m analysis top-images`: the images that excite channels most, with the pixels that they depend on."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from analysis.commands import arguments, outputs
from analysis.commands.joined import Joined
from analysis.commands.source import Source
from analysis.features.top_images import TopImages, receptive_boxes, top_images
from analysis.layers import find_layer

MOST = 8
KEPT = ("channels", "indices", "activations", "positions", "ties")


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser(
        "top-images", help="the images that excite channels most, with a frame around the pixels that they depend on"
    )
    arguments.add_source(parser, count=9)
    parser.add_argument("--layer", help="whose channels (default: the last stage)")
    parser.add_argument(
        "--channels", type=arguments.integers, metavar="0,1,2", help=f"which (default: the first {MOST} at most)"
    )
    return parser


def answer(joined: Joined, options: argparse.Namespace, _: str) -> list[Path]:
    """Write the figure and the table of images.

    Args:
      joined: functions of other packages.
      options: of the command line.

    Returns:
      The paths written.

    Raises:
      ValueError: an option that does not fit the model.
    """
    from analysis.commands import figures

    source = joined.source(options)
    source = source.chosen(options.images, len(source.images))
    network = source.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    layer = options.layer or source.network.spatial_layer(source.image_shape)
    path = arguments.figure_path(options, source, f"top-images-{layer}")
    place = find_layer(network, source.images, layer)
    top = top_images(
        model,
        variables,
        source.images,
        layer,
        options.channels or tuple(range(min(MOST, place.channels))),
        options.count,
        preprocess,
        options.batch_size,
    )
    frames = receptive_boxes(model, variables, source.images, top, preprocess, options.batch_size)
    rows = [
        figures.Tile(label(top, row), source.images[indices], notes(source, top, row), frames[row])
        for row, indices in enumerate(top.indices)
    ]
    for row in np.flatnonzero(crowded(top)).tolist():
        print(f"channel {top.channels[row]}: {explain(top, row, len(source.images))}", file=sys.stderr)
    arrays = {name: getattr(top, name) for name in KEPT} | {"boxes": frames}
    arrays |= {} if top.before is None else {"before": top.before}
    heading = f"{source.title}: the images on which a channel of {top.layer} is largest, with that activation"
    return outputs.write(path, figures.tiles(rows, heading), arrays)


def crowded(top: TopImages) -> np.ndarray:
    """(K,) whether more images tie for the largest activation than are shown."""
    return top.ties > top.indices.shape[1]


def explain(top: TopImages, row: int, count: int) -> str:
    """A sentence on the images that tie."""
    largest = f"{top.ties[row]} of {count} images tie at the largest activation, {top.activations[row].max():.3g}"
    if top.before is None:
        return f"{largest}; those shown are the first of them"
    return f"{largest}, where it is saturated; ranked by the value before the activation function"


def alike(top: TopImages, row: int) -> bool:
    """Whether a channel is saturated on the images shown, so that three digits do not tell their activations apart."""
    return top.before is not None and len({f"{value:.3g}" for value in top.activations[row]}) == 1


def label(top: TopImages, row: int) -> str:
    """The name of a row: its channel, and how images that tie are ranked."""
    name, ties = f"channel {top.channels[row]}", f"{top.ties[row]} images tie"
    if top.before is None:
        return f"{name}, {ties}, in their order" if crowded(top)[row] else name
    shown = "saturated: values before, its activation function" if alike(top, row) else ""
    return ", ".join(part for part in (name, ties if crowded(top)[row] else "", shown) if part)


def notes(source: Source, top: TopImages, row: int) -> list[str]:
    """A text for each image: its class or name, and the activation; where that is saturated, the value before."""
    indices = top.indices[row].tolist()
    names = [source.names[i] if source.labels is None else source.class_name(int(source.labels[i])) for i in indices]
    values = top.activations[row] if top.before is None or not alike(top, row) else top.before[row]
    return [f"{name}: {value:.3g}" for name, value in zip(names, values, strict=True)]

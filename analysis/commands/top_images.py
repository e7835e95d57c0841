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
        figures.Tile(
            _label(top, row), source.images[indices], _notes(source, indices, top.activations[row]), frames[row]
        )
        for row, indices in enumerate(top.indices)
    ]
    for row in np.flatnonzero(top.ties > options.count).tolist():
        print(f"{_label(top, row)} for the largest activation: those shown are the first of them", file=sys.stderr)
    arrays = {name: getattr(top, name) for name in KEPT} | {"boxes": frames}
    heading = f"{source.title}: the images on which a channel of {top.layer} is largest, with that activation"
    return outputs.write(path, figures.tiles(rows, heading), arrays)


def _label(top: TopImages, row: int) -> str:
    tie = f", {top.ties[row]} images tie" if top.ties[row] > top.indices.shape[1] else ""
    return f"channel {top.channels[row]}{tie}"


def _notes(source: Source, indices: Any, values: Any) -> list[str]:
    names = [source.names[i] if source.labels is None else source.class_name(int(source.labels[i])) for i in indices]
    return [f"{name}: {value:.3g}" for name, value in zip(names, values, strict=True)]

"""`python -m analysis top-images`: the images that channels like best, and where in them."""

import argparse
from pathlib import Path
from typing import Any

from analysis.commands import files, options
from analysis.commands.source import Source
from analysis.features.top_images import receptive_boxes, top_images
from analysis.layers import find_layer

MOST = 8
KEPT = ("channels", "indices", "activations", "positions")


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("top-images", help="the images that excite channels most, framed where they look")
    options.add_source(parser, count=9)
    parser.add_argument("--layer", help="whose channels (default: the last stage)")
    parser.add_argument(
        "--channels", type=options.integers, metavar="0,1,2", help=f"which (default: the first {MOST} at most)"
    )
    return parser


def answer(source: Source, given: argparse.Namespace) -> list[Path]:
    """Write the figure and the table of images.

    Args:
      source: the model and its images.
      given: the options; `count` is that of images a channel.

    Returns:
      The paths written.

    Raises:
      ValueError: an option that does not fit the model.
    """
    from analysis.commands import figures

    source = source.chosen(given.images, len(source.images))
    network = source.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    layer = given.layer or source.network.spatial_layer(source.image_shape)
    path = options.figure_path(given, source, f"top-images-{layer}")
    place = find_layer(network, source.images, layer)
    top = top_images(
        model,
        variables,
        source.images,
        layer,
        given.channels or tuple(range(min(MOST, place.channels))),
        given.count,
        preprocess,
        given.batch_size,
    )
    frames = receptive_boxes(model, variables, source.images, top, preprocess, given.batch_size)
    rows = [
        figures.Tile(f"channel {channel}", source.images[indices], _notes(source, indices, values), boxes)
        for channel, indices, values, boxes in zip(top.channels, top.indices, top.activations, frames, strict=True)
    ]
    arrays = {name: getattr(top, name) for name in KEPT} | {"boxes": frames}
    heading = f"{source.title}: the images on which a channel of {top.layer} is largest, with that activation"
    return files.write(path, figures.tiles(rows, heading), arrays)


def _notes(source: Source, indices: Any, values: Any) -> list[str]:
    names = [source.names[i] if source.labels is None else source.class_name(int(source.labels[i])) for i in indices]
    return [f"{name}: {value:.3g}" for name, value in zip(names, values, strict=True)]

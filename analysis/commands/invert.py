"""`python -m analysis invert`: what each layer has kept of an image."""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np

from analysis.commands import files, options
from analysis.commands.source import Source
from analysis.features.invert import invert
from analysis.layers import find_layer


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("invert", help="images rebuilt from what each layer has kept of them")
    options.add_source(parser, count=4)
    parser.add_argument(
        "--layers", type=options.names, metavar="stem,stage1", help="rebuilt from (default: the stages, up to six)"
    )
    parser.add_argument("--steps", type=int, default=400, help="of descent (default: %(default)s)")
    return parser


def answer(source: Source, given: argparse.Namespace) -> list[Path]:
    """Write the figure and the images.

    Args:
      source: the model and its images.
      given: the options.

    Returns:
      The paths written.

    Raises:
      ValueError: an option that does not fit the model.
    """
    from analysis.commands import figures

    path = options.figure_path(given, source, "invert")
    source = source.chosen(given.images, given.count)
    network = source.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    layers = given.layers or source.network.depths(source.image_shape, most=6) or (None,)
    for layer in layers:  # all names, before anything is computed
        find_layer(network, source.images, layer)
    rows = [figures.Tile("image", source.images, list(source.names))]
    arrays: dict[str, Any] = {"images": source.images}
    for layer in layers:
        found = invert(
            model,
            variables,
            source.images,
            layer,
            preprocess,
            steps=given.steps,
            key=jax.random.key(given.seed),
            batch_size=given.batch_size,
        )
        name = layer or "output"
        rows.append(figures.Tile(name, np.asarray(found.images), [f"{detail:.2f}" for detail in found.detail]))
        arrays |= {f"{name}/{field}": value for field, value in found._asdict().items()}
    heading = f"{source.title}: images rebuilt from each layer; above each its correlation with the pixels"
    return files.write(path, figures.tiles(rows, heading), arrays)

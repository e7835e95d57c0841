"""`python -m analysis invert`: images rebuilt from the activations of layers."""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np

from analysis.commands import arguments, outputs
from analysis.commands.joined import Joined
from analysis.features.invert import invert
from analysis.layers import find_layer


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("invert", help="images rebuilt from what each layer has kept of them")
    arguments.add_source(parser, count=4)
    parser.add_argument(
        "--layers", type=arguments.names, metavar="stem,stage1", help="rebuilt from (default: the stages, up to six)"
    )
    parser.add_argument("--steps", type=int, default=400, help="of descent (default: %(default)s)")
    return parser


def answer(joined: Joined, options: argparse.Namespace, _: str) -> list[Path]:
    """Write the figure and the images.

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
    path = arguments.figure_path(options, source, "invert")
    source = source.chosen(options.images, options.count)
    network = source.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    layers = options.layers or source.network.depths(source.image_shape, most=6) or (None,)
    for layer in layers:  # all names, before anything is computed
        find_layer(network, source.images, layer)
    rows = [figures.Tile("image", source.images, list(source.names))]
    arrays: dict[str, Any] = {"images": source.images}
    for layer in layers:
        rebuilt = invert(
            model,
            variables,
            source.images,
            layer,
            preprocess,
            steps=options.steps,
            key=jax.random.key(options.seed),
            batch_size=options.batch_size,
        )
        name = layer or "output"
        rows.append(figures.Tile(name, np.asarray(rebuilt.images), [f"{detail:.2f}" for detail in rebuilt.detail]))
        arrays |= {f"{name}/{field}": value for field, value in rebuilt._asdict().items()}
    heading = f"{source.title}: images rebuilt from each layer; above each its correlation with the pixels"
    return outputs.write(path, figures.tiles(rows, heading), arrays)

"""`python -m analysis maximize`: images that channels or classes like best, made from nothing."""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np

from analysis.commands import files, options
from analysis.commands.source import Source
from analysis.features.maximize import maximize
from analysis.layers import find_layer

MOST, COLUMNS = 10, 5


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("maximize", help="images that channels or classes like best, by gradient ascent")
    options.add_source(parser, count=None)
    parser.add_argument("--layer", help="whose channels (default: the output, whose channels are the classes)")
    parser.add_argument(
        "--channels", type=options.integers, metavar="0,1,2", help=f"which (default: the first {MOST} at most)"
    )
    parser.add_argument("--steps", type=int, default=512, help="of ascent (default: %(default)s)")
    parser.add_argument("--parametrization", default="fourier", help="fourier or pixels (default: %(default)s)")
    return parser


def answer(source: Source, given: argparse.Namespace) -> list[Path]:
    """Write the figure and the images.

    Args:
      source: the model.
      given: the options.

    Returns:
      The paths written.

    Raises:
      ValueError: an option that does not fit the model.
    """
    path = options.figure_path(given, source, f"maximize-{given.layer or 'classes'}")
    network = source.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    place = find_layer(network, source.images, given.layer)
    channels = given.channels or tuple(range(min(MOST, place.channels)))
    found = maximize(
        model,
        variables,
        source.image_shape,
        given.layer,
        channels,
        preprocess,
        steps=given.steps,
        parametrization=given.parametrization,
        key=jax.random.key(given.seed),
        batch_size=given.batch_size,
    )
    from analysis.commands import figures

    names = [source.class_name(k) if given.layer is None else f"channel {k}" for k in channels]
    notes = [f"{name}: {value:.3g}" for name, value in zip(names, found.activation, strict=True)]
    images, label = np.asarray(found.images), given.layer and place.path
    rows = [
        figures.Tile(label or "classes", images[at : at + COLUMNS], notes[at : at + COLUMNS])
        for at in range(0, len(images), COLUMNS)
    ]
    raised = f"the mean activation of a channel of {label}" if label else "the logit of a class"
    heading = f"{source.title}: images made to raise {raised}, written above ({given.steps} steps)"
    return files.write(path, figures.tiles(rows, heading), {"channels": channels, **found._asdict()})

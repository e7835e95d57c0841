"""`python -m analysis maximize`: images that excite channels or classes most, by gradient ascent."""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np

from analysis.commands import arguments, outputs
from analysis.commands.joined import Joined
from analysis.features.maximize import maximize
from analysis.layers import find_layer, pooled

MOST, COLUMNS = 10, 5


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("maximize", help="images that excite channels or classes most, by gradient ascent")
    arguments.add_source(parser, count=None)
    parser.add_argument("--layer", help="whose channels (default: the output, whose channels are the classes)")
    parser.add_argument(
        "--channels", type=arguments.integers, metavar="0,1,2", help=f"which (default: the first {MOST} at most)"
    )
    parser.add_argument("--steps", type=int, default=512, help="of ascent (default: %(default)s)")
    parser.add_argument("--parametrization", default="fourier", help="fourier or pixels (default: %(default)s)")
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
    source = joined.source(options)
    path = arguments.figure_path(options, source, f"maximize-{options.layer or 'classes'}")
    network = source.network
    model, variables, preprocess = network.model, network.variables, network.preprocess
    place = find_layer(network, source.images, options.layer)
    channels = options.channels or tuple(range(min(MOST, place.channels)))
    made = maximize(
        model,
        variables,
        source.image_shape,
        options.layer,
        channels,
        preprocess,
        steps=options.steps,
        parametrization=options.parametrization,
        key=jax.random.key(options.seed),
        batch_size=options.batch_size,
    )
    from analysis.commands import figures

    names = [source.class_name(k) if options.layer is None else f"channel {k}" for k in channels]
    notes = [f"{name}: {value:.3g}" for name, value in zip(names, made.activation, strict=True)]
    arrays, beside = {"channels": channels, **made._asdict()}, ""
    if len(source.images):
        arrays["data"] = pooled(place, source.images, batch_size=options.batch_size).max(0)[list(channels)]
        notes = [f"{note} ({value:.3g})" for note, value in zip(notes, arrays["data"], strict=True)]
        beside = ", in brackets the largest on a test image"
    images, label = np.asarray(made.images), options.layer and place.path
    rows = [
        figures.Tile(label or "classes", images[at : at + COLUMNS], notes[at : at + COLUMNS])
        for at in range(0, len(images), COLUMNS)
    ]
    raised = f"the mean activation of a channel of {label}" if label else "the logit of a class"
    heading = f"{source.title}: images made to raise {raised}, written above{beside} ({options.steps} steps)"
    return outputs.write(path, figures.tiles(rows, heading), arrays)

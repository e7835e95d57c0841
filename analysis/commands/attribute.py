"""`python -m analysis attribute`: maps of the pixels that a class depends on, by any method."""

import argparse
import sys
from typing import Any

import jax
import numpy as np

from analysis.attribution.methods import METHODS, explainer
from analysis.commands import arguments, outputs
from analysis.commands.joined import Joined
from analysis.commands.source import Source
from convzoo.checks import choice

SCALES = ("method", "image")
DEFAULT = ("saliency", "integrated_gradients", "grad_cam", "occlusion")


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("attribute", help="maps of the pixels that a class depends on, and their numbers")
    arguments.add_source(parser)
    parser.add_argument(
        "--method",
        type=arguments.names,
        default=DEFAULT,
        help=f"one or several of {', '.join(METHODS)}, joined by commas; all: those that the model allows "
        f"(default: {','.join(DEFAULT)})",
    )
    parser.add_argument("--layer", help="of Grad-CAM and similar methods (default: the last stage)")
    parser.add_argument("--target", metavar="CLASS", help="explained: a name or number (default: the predicted class)")
    parser.add_argument(
        "--scale",
        default=SCALES[0],
        help=f"of the colours: one for each {SCALES[0]}, so that images can be compared, or one for each {SCALES[1]}, "
        "so that weak maps can be seen (default: %(default)s)",
    )
    return parser


def answer(joined: Joined, options: argparse.Namespace, _: str) -> list[str]:
    """Write the figure and the raw maps.

    Args:
      joined: functions of other packages.
      options: of the command line.

    Returns:
      The most probable classes of each picture of `--image`, and the paths written.

    Raises:
      ValueError: an option that does not fit the model.
    """
    source = joined.source(options)
    every = options.method == ("all",)
    path = arguments.figure_path(options, source, "attribute")
    methods = tuple(METHODS) if every else options.method
    for name in methods:
        choice("method", name, METHODS)
    choice("scale", options.scale, SCALES)
    if options.layer is not None:
        source.network.spatial_layer(source.image_shape, options.layer)
    source = source.chosen(options.images, options.count)
    shares = source.probabilities(options.batch_size)
    targets = shares.argmax(1)
    if options.target is not None:
        targets = np.full(len(targets), source.class_number(options.target, shares.shape[1]))
    maps = {}
    for name in methods:
        method = explainer(
            name,
            source.network.logits_fn,
            source.network,
            options.layer,
            jax.random.key(options.seed),
            options.batch_size,
        )
        try:
            maps[name] = np.asarray(method(source.images, targets.astype(np.int32)))
        except ValueError as error:
            if not every:
                raise
            print(f"left out {name}: {error}", file=sys.stderr)
    arrays = {"images": source.images, "targets": targets, "probabilities": shares} | maps
    figure = _figure(source, shares, targets, maps, options.layer, options.scale == "image")
    best = [f"{name}: {source.best(row)}" for name, row in zip(source.names, shares, strict=True)]
    return [*(best if options.image else ()), *map(str, outputs.write(path, figure, arrays))]


def _figure(
    source: Source,
    shares: np.ndarray,
    targets: np.ndarray,
    maps: dict[str, np.ndarray],
    layer: str | None,
    own_scales: bool,
):
    from analysis.commands import figures

    if any(METHODS[name].of_layer for name in maps):
        layer = source.network.spatial_layer(source.image_shape, layer)
    rows = [
        figures.Row(
            METHODS[name].label + (f", {layer}" if METHODS[name].of_layer else ""),
            METHODS[name].unit,
            METHODS[name].signed,
            values,
            own_scales,
        )
        for name, values in maps.items()
    ]
    titles = []
    for name, share, target in zip(source.names, shares, targets, strict=True):
        titles.append(f"{name}\n{source.class_name(int(target))}: {100 * share[target]:.1f} %")
    scale = "; each on its own scale, full at the number above it" if own_scales else ""
    return figures.maps(source.images, titles, rows, f"{source.title}: maps for the class above each image{scale}")

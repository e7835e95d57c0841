"""`python -m analysis experiment`: train networks, measure the claims of an experiment on them, and write its page."""

import argparse
import time
from pathlib import Path
from typing import Any

from analysis.commands import arguments
from analysis.commands.joined import Joined
from analysis.understanding import EXPERIMENTS, watermark
from analysis.understanding.experiment import Experiment, write
from convzoo.checks import choice

LIST = "list"


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("experiment", help="a claim about networks, measured on networks trained for it")
    parser.add_argument("name", help=f"{LIST}, or one of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs and the page")
    parser.add_argument(
        "--seeds", type=arguments.integers, default=(0, 1, 2), metavar="0,1,2", help="of the networks (default: 0,1,2)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the page (default: OUT/NAME.md)")
    return parser


def answer(joined: Joined, options: argparse.Namespace, command: str) -> list[Path] | list[str]:
    """Run an experiment and write its page, or list all.

    Args:
      joined: functions of other packages.
      options: of the command line.
      command: the whole line, for the page.

    Returns:
      The path of the page; or a line for each experiment.

    Raises:
      ValueError: an unknown experiment, or no folder to write to.
    """
    if options.name == LIST:
        return [f"{name:<12} {' '.join(experiment.claim.split())}" for name, experiment in EXPERIMENTS.items()]
    choice("experiment", options.name, [LIST, *EXPERIMENTS])
    if options.out is None:
        raise ValueError("out=None: expected a folder for the runs and the page, --out DIR")
    return _page(joined, EXPERIMENTS[options.name], options.seeds, options, command)


def add_watermark(commands: Any) -> argparse.ArgumentParser:
    """The parser of the watermark experiment with settings of its own."""
    parser = commands.add_parser("watermark", help="the watermark experiment with another model, length or seed")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the runs and the page")
    parser.add_argument("--model", default="gap_net", help="with global average pooling (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="of training each net (default: %(default)s)")
    parser.add_argument("--images", type=int, default=30, help="test images examined (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the nets, methods and attacks (default: %(default)s)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the page (default: OUT/watermark.md)")
    return parser


def answer_watermark(joined: Joined, options: argparse.Namespace, command: str) -> list[Path]:
    """Run the watermark experiment with settings of the command line.

    Args, Returns, Raises: as in `answer`.
    """
    experiment = watermark.experiment(options.model, options.epochs, options.images)
    return _page(joined, experiment, (options.seed,), options, command)


def _page(joined: Joined, experiment: Experiment, seeds: tuple[int, ...], options: Any, command: str) -> list[Path]:
    start = time.monotonic()
    result = experiment.run(joined.lab(options.out), seeds)
    path = options.markdown or options.out / f"{experiment.name}.md"
    return [write(experiment, result, path, command, time.monotonic() - start)]

"""`python -m analysis robustness`: accuracy under a suite of attacks, with a table, a picture and warnings."""

import argparse
import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import numpy as np

from analysis import attacks, checks, draw
from analysis.attacks.threat import NORMS
from analysis.commands import arguments
from analysis.commands.joined import Joined
from analysis.commands.source import Source
from analysis.execution import as_argument
from convzoo import files
from convzoo.checks import integer
from convzoo.commands import say

RADII = {"linf": "1/255,2/255,4/255,8/255", "l2": "0.25,0.5,1", "l1": "4,8,12"}
"""Of each norm, unless `--eps` says others."""


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("robustness", help="accuracy under a suite of attacks, with warnings; resumable")
    parser.add_argument("run", nargs="?", type=Path, help="a run directory of `python -m train`")
    parser.add_argument("--model", help="instead of RUN: a name of `python -m zoo list`, with --data")
    parser.add_argument("--weights", help="of the model: .safetensors, .pth, or a file of zoo.save")
    arguments.add_which(parser)
    parser.add_argument("--data", metavar="folder:PATH", help="images with classes, instead of the run's test images")
    parser.add_argument("--norm", choices=NORMS, default="linf", help="of the threat (default: %(default)s)")
    parser.add_argument(
        "--eps", type=radii, metavar="4/255,8/255", help=f"radii, for pixels in [0, 1] (default: {RADII['linf']})"
    )
    parser.add_argument(
        "--suite", choices=attacks.SUITES, default="standard", help="the attacks (default: %(default)s)"
    )
    parser.add_argument("--count", type=int, default=200, help="images, the first ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of random starts and searches (default: %(default)s)")
    parser.add_argument(
        "--batch-size", type=int, default=128, metavar="N", help="images at once (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.json", help="the result (default: RUN/analysis/robustness-NORM.json)"
    )
    return parser


def radii(text: str) -> tuple[float, ...]:
    """Numbers or fractions joined by commas.

    Example:
      >>> radii("1/4,0.5")
      (0.25, 0.5)
    """
    try:
        return tuple(float(Fraction(part.strip())) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected numbers or fractions joined by commas, such as 4/255,8/255"
        ) from None


def answer(joined: Joined, options: argparse.Namespace, _: str) -> list[str]:
    """Evaluate a classifier; write the result as JSON, table and picture, and the adversarial images.

    What is done is kept in the file of the images: the same command goes on after it was stopped.

    Args:
      joined: functions of other packages.
      options: of the command line.

    Returns:
      The table with its remarks, and the paths written.

    Raises:
      ValueError: a classifier or images that cannot be read, or options that do not fit them.
    """
    integer("count", options.count)
    if options.norm == "linf" and max(options.eps or (0.0,)) > 1:
        wrong = max(options.eps)
        raise ValueError(f"eps={wrong:g}: expected at most 1, since pixels are in [0, 1], did you mean {wrong:g}/255?")
    source = labelled(joined, options).chosen(None, options.count)
    out = options.out or source.folder / f"robustness-{options.norm}.json"
    if out.suffix != ".json":
        raise ValueError(f"out={str(out)!r}: expected a name that ends in .json")
    out.parent.mkdir(parents=True, exist_ok=True)
    threats = [NORMS[options.norm](eps) for eps in options.eps or radii(RADII[options.norm])]
    report = attacks.evaluate(
        as_argument(source.network.logits_fn),
        source.images,
        source.labels,
        threats,
        options.suite,
        jax.random.key(options.seed),
        options.batch_size,
        path=out.with_suffix(".npz"),
        log=say,
    )
    picture = out.with_suffix(".png")
    figure = report.figure()
    figure.axes[0].set_title(f"{source.title}, {options.norm}")
    files.write(picture, draw.png(figure))
    table = files.write(out.with_suffix(".md"), report.markdown() + "\n")
    written = [files.write(out, report.to_json()), table, picture, out.with_suffix(".npz")]
    return [str(report), "", *map(str, written)]


def labelled(joined: Joined, options: argparse.Namespace) -> Source:
    """The classifier with images whose classes are known.

    Raises:
      ValueError: no labelled images, or of other classes or another shape than the classifier's.
    """
    if options.model is not None and options.data is None:
        raise ValueError("--model comes without images: give --data folder:PATH, with one sub-folder for each class")
    opened = joined.opened(options)
    if options.data is None:
        return opened.tested()
    source = opened.source
    data = joined.lab(Path()).load(options.data, source.image_shape[0])
    shape = data.test.images.shape[1:]
    if shape != source.image_shape:
        raise ValueError(f"{options.data} has images of shape {shape}: {source.title} takes {source.image_shape}")
    count = int(np.max(data.test.labels)) + 1
    classes = checks.classes_of(as_argument(source.network.logits_fn), data.test.images)
    if count > classes:
        raise ValueError(f"{options.data} has {count} classes: {source.title} has {classes}")
    names = [f"no. {number}" for number in range(len(data.test.images))]
    return dataclasses.replace(source, images=data.test.images, labels=data.test.labels, names=names)

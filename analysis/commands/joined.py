"""Runs, weights and training as the commands take them, from packages that only `analysis.__main__` imports."""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from analysis.commands import pictures
from analysis.commands.source import Source
from analysis.report import Subject
from analysis.understanding.experiment import Lab
from convzoo.commands import say

Which = Literal["raw", "ema"] | None


class Opened(NamedTuple):
    """A model that a command has opened.

    Attributes:
      source: the model without images.
      resize: (N, h, w, C) pictures → the model's size.
      tested: the source with the test images of its data set, where it has one; a ValueError where that cannot be read.
    """

    source: Source
    resize: Callable
    tested: Callable[[], Source]


class Joined(NamedTuple):
    """Functions of other packages.

    Attributes:
      of_run: run directory → its model.
      of_weights: (name, file of weights or None, `raw`, `ema` or None) → a catalogued model.
      subject: (run directory, command) → the subject of a report.
      lab: folder → a laboratory that keeps its runs there.
    """

    of_run: Callable[[Path], Opened]
    of_weights: Callable[[str, str | None, Which], Opened]
    subject: Callable[[Path, str], Subject]
    lab: Callable[[Path], Lab]

    def opened(self, options: argparse.Namespace) -> Opened:
        """The model of a command's options.

        Raises:
          ValueError: neither a run nor a model, or both; a run or weights that cannot be read.
        """
        if (options.run is None) == (options.model is None):
            raise ValueError("give either RUN, a run directory of `python -m train`, or --model NAME")
        if options.model is not None:
            return self.of_weights(options.model, options.weights, options.which)
        if options.weights or options.which:
            raise ValueError("--weights and --which are those of --model NAME: a run has its own")
        return self.of_run(options.run)

    def source(self, options: argparse.Namespace) -> Source:
        """The model and the images of a command's options; pictures of `--image` need no data set.

        Raises:
          ValueError: as in `opened`, or pictures or a data set that cannot be read.
        """
        source, resize, tested = self.opened(options)
        paths = getattr(options, "image", None)
        if paths:
            images = pictures.read(paths, source.image_shape, resize)
            return dataclasses.replace(source, images=images, names=[path.name for path in paths], labels=None)
        if not hasattr(options, "image"):
            try:
                return tested()
            except ValueError as error:
                say(f"goes on without the data set: {error}")
                return source
        if options.model is not None:
            raise ValueError(f"{options.model} comes without images: give --image FILE")
        try:
            return tested()
        except ValueError as error:
            raise ValueError(f"{error}; --image FILE takes pictures of your own") from None

"""Runs, weights and training as the commands take them, from packages that only `analysis.__main__` imports."""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from analysis.commands import pictures
from analysis.commands.source import Source
from analysis.report import Subject
from analysis.understanding.experiment import Lab

Resize = Callable


class Joined(NamedTuple):
    """Functions of other packages.

    Attributes:
      of_run: run directory → its model with its test images, and the function that resizes pictures for it.
      of_weights: (name, file of weights or None) → a catalogued model without images, and the same function.
      subject: (run directory, command) → the subject of a report.
      lab: folder → a laboratory that keeps its runs there.
    """

    of_run: Callable[[Path], tuple[Source, Resize]]
    of_weights: Callable[[str, str | None], tuple[Source, Resize]]
    subject: Callable[[Path, str], Subject]
    lab: Callable[[Path], Lab]

    def source(self, options: argparse.Namespace) -> Source:
        """The model and the images of a command's options.

        Raises:
          ValueError: neither a run nor a model, or both; a run, weights or pictures that cannot be read.
        """
        if (options.run is None) == (options.model is None):
            raise ValueError("give either RUN, a run directory of `python -m train`, or --model NAME")
        if options.weights and options.model is None:
            raise ValueError("--weights are those of --model NAME: a run has its own")
        if options.model is None:
            source, resize = self.of_run(options.run)
        else:
            source, resize = self.of_weights(options.model, options.weights)
        paths = getattr(options, "image", None)
        if paths:
            images = pictures.read(paths, source.image_shape, resize)
            return dataclasses.replace(source, images=images, names=[path.name for path in paths], labels=None)
        if not len(source.images) and hasattr(options, "image"):
            raise ValueError(f"{options.model} comes without images: give --image FILE")
        return source

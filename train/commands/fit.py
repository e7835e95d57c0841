"""Train a model of the zoo; the same command resumes where it was stopped."""

import argparse
from pathlib import Path

from train import folds, loop, tensorboard
from train.commands import configuration


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    configuration.add(parser)
    parser.add_argument("--folds", type=int, metavar="K", help="cross-validate: K runs in OUT/fold-1, …, and one table")
    parser.add_argument("--tensorboard", action="store_true", help="write the figures for TensorBoard, too")


def answer(options: argparse.Namespace) -> str:
    """Train, or resume, and return the table of the last epoch's figures, or that of all folds."""
    config = configuration.read(vars(options))
    observe = tensorboard.writer if options.tensorboard else None
    if options.folds is not None:
        return str(folds.run(config, options.folds, observe=observe))
    return str(loop.run(config, after_epoch=observe and observe(Path(str(config.resolve().out)))))

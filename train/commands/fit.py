"""Train a model of the zoo; the same command resumes where it was stopped."""

import argparse

from train import folds, loop
from train.commands import configuration


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    configuration.add(parser)
    parser.add_argument("--folds", type=int, metavar="K", help="cross-validate: K runs in OUT/fold-1, …, and one table")


def answer(options: argparse.Namespace) -> str:
    """Train, or resume, and return the table of the last epoch's figures, or that of all folds."""
    config = configuration.read(vars(options))
    return str(loop.run(config) if options.folds is None else folds.run(config, options.folds))

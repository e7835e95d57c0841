"""Train a model of the zoo; the same command resumes where it was stopped."""

import argparse

from train import loop
from train.commands import configuration


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    configuration.add(parser)


def answer(options: argparse.Namespace) -> str:
    """Train, or resume, and return the table of the last epoch's figures."""
    return str(loop.run(configuration.read(vars(options))))

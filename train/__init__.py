"""Training: data, loops and checkpoints for any model of the zoo.

import train
summary = train.run(train.Config("lenet5", epochs=5, out="runs/lenet5"))
restored = train.load("runs/lenet5")       # its model, variables, preprocess, data set and metrics
"""

import convzoo  # noqa: F401, refuses old versions of Python
from train.config import Config
from train.console import Interrupted
from train.loop import Summary, run
from train.run_directory import Run, load

__all__ = ["Config", "Interrupted", "Run", "Summary", "load", "run"]

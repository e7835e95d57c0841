"""Experiments on what networks learn, each with the claims it examines.

understanding.EXPERIMENTS["watermark"].run(lab, seeds=(0, 1, 2))      # -> Result: claims, table, picture
"""

from analysis.understanding import position, watermark
from analysis.understanding.experiment import Claim, Experiment, Lab, Result, Table

__all__ = ["EXPERIMENTS", "Claim", "Experiment", "Lab", "Result", "Table"]

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in (position.EXPERIMENT, watermark.EXPERIMENT)
}

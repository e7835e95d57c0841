"""Predictions for the first test images, as a picture in the run directory."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from train.datasets import Split
from train.tasks import Task
from zoo import Preprocess

FILE = "predictions.png"


def draw(
    out: Path, model: nn.Module, variables: Any, preprocess: Preprocess, task: Task, split: Split, metrics: Any
) -> None:
    """Write the task's picture, if it has one.

    Args:
      out: the run directory.
      model: of the zoo's signature.
      variables: its variables.
      preprocess: normalization of images in [0, 1].
      task: draws.
      split: of the test images.
      metrics: the task's, of all of them.
    """
    images, outputs = split.images[: task.examples_drawn], np.zeros(0)
    if len(images):
        outputs = np.asarray(jax.jit(model.apply)(variables, preprocess(jnp.asarray(images))))
    picture = task.draw(images, outputs, split.target(task.target)[: len(images)], metrics)
    if picture is not None:
        picture.savefig(out / FILE)

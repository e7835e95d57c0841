"""Fine-tuning in a run: the baseline before the first step, warning signs, and the old problem afterwards."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from train import batches, run_directory, steps, transfer
from train.config import Config
from train.datasets import Data
from train.tasks import TASKS


def remember(config: Config, variables: dict[str, Any], watch: transfer.Watch) -> None:
    """Evaluate new weights on the problem that they come from, under its own head.

    Nothing is done where that problem is not at hand: `from_` is a file, its data set was in memory, or the new images
    have other channels; or where its task has no figure that is a share.

    Args:
      config: of the fine-tuning, with `from_`.
      variables: fine-tuned.
      watch: takes the figure before and after.
    """
    if config.from_ is None or not Path(config.from_).is_dir():
        return
    earlier = run_directory.load(config.from_)
    try:
        dataset = earlier.dataset
    except ValueError:
        return
    task = earlier.config.make_task(Data.of(dataset, TASKS[earlier.config.task].target))
    shares = [column.name for column in task.columns if column.format.endswith("%")]
    joined = _under_old_head(earlier, variables, dataset.image_shape)
    if not shares or joined is None:
        return
    step = steps.make_evaluation_step(earlier.model, earlier.preprocess, task)
    figures = []
    for weights in (earlier.variables, joined):
        split, total = dataset.test, task.empty(len(dataset.test))
        for batch in batches.batches(split, np.arange(len(split)), earlier.config.batch_size, target=task.target):
            total = step(weights, total, batch)
        figures.append(task.summarize(total)[shares[0]])
    watch.forgetting(shares[0], *figures)


def _under_old_head(earlier: run_directory.Run, variables: dict[str, Any], image_shape: Any) -> dict[str, Any] | None:
    """The new variables with the old ones wherever the number of classes matters; None: they do not fit."""
    _, heads = transfer.heads(earlier.model, image_shape)
    old, new = flatten_dict(earlier.variables), flatten_dict(variables)
    joined = {path: leaf if "/".join(path[1:]) in heads else new.get(path, leaf) for path, leaf in old.items()}
    fits = all(jnp.shape(joined[path]) == leaf.shape for path, leaf in old.items())
    return unflatten_dict(joined) if fits else None

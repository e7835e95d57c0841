"""Plans: the fixed parts of a run, and the refusal of those that do not fit together."""

from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from train import batches, options, transfer
from train.accumulation import Windows
from train.config import Config
from train.datasets import Data, Dataset
from train.state import TrainState, initial_state
from train.tasks import TASKS, Task
from zoo import catalog

PIXELS = ("segmentation", "a class for each pixel")
PURPOSES = {
    **dict.fromkeys(("deeplab", "fcn", "fpn", "lraspp", "unet"), PIXELS),
    "coordinate_regressor": ("position", "a row and a column"),
    "embedding": ("embedding", "a point on the unit sphere"),
}
"""The only task of a family of architectures, and its outputs; all others give a vector of any meaning."""
ORDINARY = {"coordinate_regressor": {"coordinates": False}}
"""Fields with which a model of these families is as good for any task as others."""


class Plan(NamedTuple):
    """The fixed parts of a run.

    Attributes:
      config: resolved.
      dataset: images and targets.
      data: the facts about them, with the normalization of this run.
      task: for these data.
      watch: for warning signs of a transfer; None: all parameters learn at one rate.
    """

    config: Config
    dataset: Dataset
    data: Data
    task: Task
    watch: transfer.Watch | None = None

    @property
    def model(self) -> nn.Module:
        """Without variables."""
        return self.config.build(self.task.width)

    @property
    def out(self) -> Path:
        """The run directory."""
        return Path(str(self.config.out))

    @property
    def windows(self) -> Windows:
        """The windows of accumulated gradients; batches of a task on pairs are all full."""
        config = self.config
        windows = Windows(self.data.images, config.batch_size, config.accumulate)
        full = self.task.images_per_label is not None
        return windows._replace(images=windows.batches * config.batch_size) if full else windows

    def visits(self, epoch: int) -> np.ndarray:
        """The order of the training images in an epoch: indices, a batch after the other."""
        split, per_label, seed = self.dataset.train, self.task.images_per_label, self.config.seed
        if per_label is None:
            return batches.order(len(split), seed, epoch)
        return batches.grouped_order(split.labels, self.config.batch_size, per_label, seed, epoch)

    def still(self, epoch: int) -> frozenset[str] | None:
        """The parameters that do not move in an epoch; None: without `transfer`."""
        groups = self.config.groups(self.data)
        return None if groups is None else transfer.frozen(groups, epoch, self.config.epochs)


def prepare(config: Config) -> tuple[Plan, TrainState]:
    """The fixed parts of a run, and the shapes of its state; nothing is compiled or written.

    Args:
      config: resolved.

    Raises:
      ValueError: model, data set, task and options do not fit together.
    """
    check_purpose(config)
    dataset = config.load_dataset()
    data = Data.of(dataset, TASKS[config.task].target)
    plan = Plan(config, dataset, data, config.make_task(data))
    return plan, _check_fit(plan)


def check_purpose(config: Config) -> None:
    """Refuse a model whose outputs cannot serve the task, before any data are read.

    Raises:
      ValueError: with the task that the model is for, or a model for the task.

    Example:
      >>> check_purpose(Config("unet"))
      Traceback (most recent call last):
      ValueError: task='classification': unet gives a class for each pixel, expected task='segmentation'
    """
    family = catalog.variant(config.model).build.__module__.rpartition(".")[2]
    purpose, outputs = PURPOSES.get(family, (None, ""))
    if family in ORDINARY and ORDINARY[family].items() <= dict(config.fields).items():
        purpose = None
    if purpose and purpose != config.task:
        raise ValueError(f"task={config.task!r}: {config.model} gives {outputs}, expected task={purpose!r}")
    if config.task == "segmentation" and purpose is None and "convolutional" not in config.fields:
        raise ValueError(
            f"task='segmentation': {config.model} gives one answer an image, not one a pixel: expected a model such as "
            "unet, fcn_resnet50 or deeplabv3_resnet50"
        )


def _check_fit(plan: Plan) -> TrainState:
    config, dataset, data, task, _ = plan
    for split in dataset.splits.values():
        task.check(split)
    if config.batch_size > len(dataset.train):
        raise ValueError(
            f"batch_size={config.batch_size} exceeds the {len(dataset.train)} training images of "
            f"{config.dataset_name}: give at most {len(dataset.train)}, as --batch-size or batch_size="
        )
    if config.epochs > (most := options.LARGEST_INTEGER // plan.windows.batches):
        raise ValueError(
            f"epochs={config.epochs}: expected at most {most} of {plan.windows.batches} batches, "
            "since steps are counted in 32 bits"
        )
    if config.accumulate > (number := plan.windows.batches):
        raise ValueError(
            f"accumulate={config.accumulate} exceeds the {number} batches of an epoch: give at most "
            f"{number}, or a smaller --batch-size"
        )
    height, width, _ = data.image_shape

    def begin():
        state = initial_state(config, data)
        return state, config.build(task.width).apply(state.variables, jnp.zeros((1, *data.image_shape)))

    try:
        state, outputs = jax.eval_shape(begin)
    except transfer.RuleError:
        raise
    except Exception as error:  # The image's shape or a field is the cause of any error while a model is traced.
        reason = str(error).strip().split("\n")[0]
        fields = f" with {dict(config.fields)}" if config.fields else ""
        raise ValueError(
            f"{config.model}{fields} cannot take images of {height}×{width} pixels: {reason}; "
            f"`python -m zoo card {config.model}` says what it was designed for, --size changes the images"
        ) from error
    shapes = [tuple(leaf.shape[1:]) for leaf in jax.tree.leaves(outputs)]
    if len(shapes) != 1 or not _fits(shapes[0], task.output_shape):
        expected = str(task.output_shape).replace("None", "any")
        raise ValueError(
            f"{config.model} gives outputs of shape {', '.join(map(str, shapes))} for an image of {height}×{width} "
            f"pixels: task={config.task!r} on {config.dataset_name} expects {expected}"
        )
    return state


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(size in (None, one) for one, size in zip(shape, expected, strict=True))

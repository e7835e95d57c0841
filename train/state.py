"""The training state: everything that changes during training, as one tree of arrays."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import zoo
from train import optimizers, schedules, transfer
from train.accumulation import Windows
from train.config import Config
from train.datasets import Data
from train.stopping import Stopping
from train.tasks import Task


class TrainState(NamedTuple):
    """Everything that changes during training; a checkpoint holds one.

    Fields that are None are not in use, and not in a checkpoint.

    Attributes:
      step: () int32, batches done: updates, unless gradients are accumulated.
      epoch: () int32, epochs finished, their evaluation included.
      variables: of the model: `params`, and `batch_stats` where there are any.
      opt_state: of the optimizer, with the window of accumulated gradients.
      metrics: the task's, of the epoch in progress.
      ema: moving averages of the variables.
      plateau: of `schedules.plateau`.
      stopping: of early stopping.
    """

    step: jax.Array
    epoch: jax.Array
    variables: dict[str, Any]
    opt_state: optax.OptState
    metrics: Any
    ema: dict[str, Any] | None = None
    plateau: Any = None
    stopping: Stopping | None = None

    @property
    def evaluated(self) -> dict[str, Any]:
        """The variables to evaluate and to use: the averages where there are any."""
        return self.variables if self.ema is None else self.ema


def create(variables: dict[str, Any], optimizer: optax.GradientTransformation, task: Task) -> TrainState:
    """The state before the first step.

    Args:
      variables: of the model. They are copied: a step gives the memory of the old state to the new one,
        which must not be the caller's.
      optimizer: moves the parameters.
      task: of the metrics.

    Returns:
      A `TrainState`.
    """
    variables = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), variables)
    zero = jnp.zeros((), jnp.int32)
    return TrainState(zero, zero.copy(), variables, optimizer.init(variables["params"]), task.empty())


def next_epoch(state: TrainState, task: Task) -> TrainState:
    """The state at the start of the next epoch: one more is finished, and its metrics are empty."""
    return state._replace(epoch=state.epoch + 1, metrics=task.empty())


def make_optimizer(config: Config, data: Data) -> optax.GradientTransformation:
    """The optimizer of a resolved configuration, for these training images."""
    assert config.learning_rate is not None
    windows = Windows(data.images, config.batch_size, config.accumulate)

    def build(peak: float, updates: int) -> optax.GradientTransformation:
        return _unclipped(config, schedules.schedule(config.schedule, peak, int(config.warmup * updates), updates))

    groups = config.groups(data)
    if groups is None:
        optimizer = build(config.learning_rate, config.epochs * windows.updates)
    else:
        optimizer = transfer.optimizer(groups, build, config.epochs, windows.updates)
    return windows.accumulate(_clipped(config, optimizer))


def build_optimizer(config: Config, rate: optax.Schedule) -> optax.GradientTransformation:
    """The configuration's optimizer of single updates, with this learning rate."""
    return _clipped(config, _unclipped(config, rate))


def _unclipped(config: Config, rate: optax.Schedule) -> optax.GradientTransformation:
    kind = optimizers.OPTIMIZERS[config.optimizer]
    settings = {name: getattr(config, name) for name in kind.settings}
    return kind.build(rate, config.weight_decay, **settings)


def _clipped(config: Config, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    return optimizer if config.clip is None else optax.chain(optax.clip_by_global_norm(config.clip), optimizer)


def initial_state(config: Config, data: Data, variables: dict[str, Any] | None = None) -> TrainState:
    """The state before the first step of a run; under `jax.eval_shape` only its shapes.

    Args:
      config: resolved.
      data: description of the training data.
      variables: to start from; None: drawn from the seed.

    Returns:
      A `TrainState`.
    """
    task = config.make_task(data)
    if variables is None:
        variables = zoo.init(config.build(task.width), jax.random.key(config.seed), data.image_shape)
    state = create(variables, make_optimizer(config, data), task)
    return state._replace(
        ema=None if config.ema is None else jax.tree.map(jnp.copy, state.variables),
        plateau=schedules.plateau(config.patience).init(variables) if config.schedule == "plateau" else None,
        stopping=None if config.early_stop is None else Stopping.start(),
    )

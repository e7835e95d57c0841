"""The training state: everything that changes during training, as one tree of arrays."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from train.tasks import Task


class TrainState(NamedTuple):
    """Everything that changes during training; a checkpoint holds one.

    Attributes:
      step: () int32, updates done.
      epoch: () int32, epochs finished, their evaluation included.
      variables: of the model: `params`, and `batch_stats` where there are any.
      opt_state: of the optimizer.
      metrics: the task's, of the epoch in progress.
    """

    step: jax.Array
    epoch: jax.Array
    variables: dict[str, Any]
    opt_state: optax.OptState
    metrics: Any


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

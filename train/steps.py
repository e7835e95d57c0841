"""The two compiled functions of training: a step of descent, and the evaluation of a batch."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from train.augment import Augmentation
from train.batches import Batch
from train.state import TrainState
from train.tasks import Task

AUX_WEIGHT = 0.3
"""Weight of each auxiliary head's loss. Reference: Szegedy et al., 2014, arXiv:1409.4842."""


class Report(NamedTuple):
    """The figures of a step.

    Attributes:
      objective: () float32, the value that was minimized on this batch.
      figures: the task's columns over the epoch so far, each () float32.
    """

    objective: jax.Array
    figures: dict[str, jax.Array]


def make_train_step(
    model: nn.Module,
    preprocess: Callable[[jax.Array], jax.Array],
    optimizer: optax.GradientTransformation,
    task: Task,
    augment: Augmentation,
    key: jax.Array,
) -> Callable[[TrainState, Batch], tuple[TrainState, Report]]:
    """The step of training, to be compiled once.

    It minimizes the weighted mean of the task's losses, plus `AUX_WEIGHT` times that of every auxiliary head.
    Randomness at step t comes from `fold_in(key, t)` and nothing else.

    Args:
      model: of the zoo's signature.
      preprocess: normalization of images in [0, 1].
      optimizer: moves the parameters.
      task: gives each example's loss, and the metrics.
      augment: random changes of images in [0, 1].
      key: of the whole run.

    Returns:
      A jitted function of the state, whose memory it takes over, and a batch.
    """

    def objective(params, state, batch):
        augment_key, dropout_key = jax.random.split(jax.random.fold_in(key, state.step))
        outputs, updates = model.apply(
            {**state.variables, "params": params},
            preprocess(augment(augment_key, batch.images)),
            train=True,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats", "aux_logits"],
        )

        def mean(outputs):
            losses = task.loss(outputs, batch.targets)
            return jnp.sum(losses * batch.weights) / jnp.sum(batch.weights)

        auxiliary = jax.tree.leaves(updates.get("aux_logits", {}))
        return mean(outputs) + AUX_WEIGHT * sum(map(mean, auxiliary)), (outputs, updates)

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Report]:
        params = state.variables["params"]
        (value, (outputs, updates)), gradients = jax.value_and_grad(objective, has_aux=True)(params, state, batch)
        # Where a user forbids promotion, optax's counts still meet its floats.
        with jax.numpy_dtype_promotion("standard"):
            moves, opt_state = optimizer.update(gradients, state.opt_state, params)
        moved = {"params": optax.apply_updates(params, moves)}
        variables = {kind: (updates | moved).get(kind, old) for kind, old in state.variables.items()}
        total = task.update(state.metrics, outputs, batch.targets, batch.weights)
        report = Report(value, task.running(total))
        return TrainState(state.step + 1, state.epoch, variables, opt_state, total), report

    return train_step


def make_evaluation_step(
    model: nn.Module, preprocess: Callable[[jax.Array], jax.Array], task: Task
) -> Callable[[dict[str, Any], Any, Batch], Any]:
    """The step of evaluation, to be compiled once: adds a batch to metrics.

    Args:
      model: of the zoo's signature.
      preprocess: normalization of images in [0, 1].
      task: of the metrics.

    Returns:
      A jitted function of the variables, the metrics so far and a batch.
    """

    @jax.jit
    def evaluation_step(variables: dict[str, Any], total: Any, batch: Batch) -> Any:
        outputs: Any = model.apply(variables, preprocess(batch.images))
        return task.update(total, outputs, batch.targets, batch.weights)

    return evaluation_step

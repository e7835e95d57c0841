"""The two compiled functions of training: a step of descent, and the evaluation of a batch."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from train import averaging, rematerialization, transfer
from train.accumulation import Windows
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
      gradient_norm: () float32, of the gradient of all parameters that move; None: not asked for.
    """

    objective: jax.Array
    figures: dict[str, jax.Array]
    gradient_norm: jax.Array | None = None


def make_train_step(
    model: nn.Module,
    preprocess: Callable[[jax.Array], jax.Array],
    optimizer: optax.GradientTransformation,
    task: Task,
    augment: Augmentation,
    key: jax.Array,
    *,
    windows: Windows | None = None,
    decay: float = 0.0,
    remat: bool = False,
    still: frozenset[str] | None = None,
) -> Callable[[TrainState, Batch], tuple[TrainState, Report]]:
    """The step of training, to be compiled once.

    It minimizes the weighted mean of the task's losses, plus `AUX_WEIGHT` times that of every auxiliary head.
    Randomness at step t comes from `fold_in(key, t)` and nothing else.

    Args:
      model: of the zoo's signature.
      preprocess: normalization of images in [0, 1].
      optimizer: moves the parameters.
      task: gives each example's loss, and the metrics.
      augment: random changes of a batch whose images are in [0, 1].
      key: of the whole run.
      windows: of accumulated gradients, whose optimizer comes from `Windows.accumulate`; None: every batch updates.
      decay: of the moving averages in a state that has them.
      remat: compute activations again in the backward pass.
      still: paths of the parameters that stay as they are, with the statistics of their normalizations; None: all
        move, and no gradient norm is reported.

    Returns:
      A jitted function of the state, whose memory it takes over, and a batch.
    """

    objective = _objective(model, preprocess, task, augment, key, remat, still)
    accumulated = windows if windows and windows.length > 1 else None

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Report]:
        params = state.variables["params"]
        (value, (outputs, updates, augmented)), gradients = jax.value_and_grad(objective, has_aux=True)(
            params, state, batch
        )
        if still:
            gradients = transfer.without(gradients, still)
        norm = None if still is None else optax.tree.norm(gradients)
        # Where a user forbids promotion, optax's counts still meet its floats.
        with jax.numpy_dtype_promotion("standard"):
            if accumulated:
                gradients = _scaled(gradients, accumulated.share(state.step, batch.weights))
            moves, opt_state = optimizer.update(gradients, state.opt_state, params)
            if state.plateau is not None:
                moves = _scaled(moves, state.plateau.scale)
        moved = {"params": optax.apply_updates(params, moves)}
        variables = {kind: (updates | moved).get(kind, old) for kind, old in state.variables.items()}
        total = task.update(state.metrics, outputs, augmented.targets, augmented.weights)
        report = Report(value, task.running(total), norm)
        state = state._replace(
            step=state.step + 1,
            variables=variables,
            opt_state=opt_state,
            metrics=total,
            ema=None if state.ema is None else _follow(state, variables, decay, accumulated),
        )
        return state, report

    return train_step


def _objective(
    model: nn.Module,
    preprocess: Callable[[jax.Array], jax.Array],
    task: Task,
    augment: Augmentation,
    key: jax.Array,
    remat: bool,
    still: frozenset[str] | None,
) -> Callable:
    """The loss of a batch, with the outputs, the updated statistics and the augmented batch."""

    def objective(params, state, batch):
        augment_key, dropout_key = jax.random.split(jax.random.fold_in(key, state.step))
        batch = augment(augment_key, batch)
        with contextlib.ExitStack() as stack:
            if remat:
                stack.enter_context(rematerialization.of_blocks())
            if still:
                stack.enter_context(transfer.frozen_norms(still))
            outputs, updates = model.apply(
                {**state.variables, "params": params},
                preprocess(batch.images),
                train=True,
                rngs={"dropout": dropout_key},
                mutable=["batch_stats", "aux_logits"],
            )

        def mean(outputs):
            losses = task.loss(outputs, batch.targets)
            if batch.other is not None:
                losses = batch.share * losses + (1 - batch.share) * task.loss(outputs, batch.other)
            return jnp.sum(losses * batch.weights) / jnp.sum(batch.weights)

        auxiliary = jax.tree.leaves(updates.get("aux_logits", {}))
        return mean(outputs) + AUX_WEIGHT * sum(map(mean, auxiliary)), (outputs, updates, batch)

    return objective


def _follow(state: TrainState, variables: dict[str, Any], decay: float, windows: Windows | None) -> Any:
    """The averages after a step: they move with every update."""
    if windows is None:
        return averaging.average(state.ema, variables, decay, state.step)
    moved = averaging.average(state.ema, variables, decay, windows.updates_before(state.step))
    return jax.tree.map(lambda new, old: jnp.where(windows.ends(state.step), new, old), moved, state.ema)


def _scaled(tree: Any, factor: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), tree)


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

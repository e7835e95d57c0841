"""The two compiled functions of training: one step of descent, and one batch of evaluation."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from train import metrics
from train.augment import Augmentation
from train.batches import Batch
from train.metrics import Metrics
from train.state import TrainState

AUX_WEIGHT = 0.3
"""Weight of each auxiliary head's loss. Reference: Szegedy et al., 2014, arXiv:1409.4842."""


class Report(NamedTuple):
    """What a step tells of itself.

    Attributes:
      objective: () float32, what was minimized on this batch.
      loss: () float32, mean cross-entropy over the epoch so far.
      accuracy: () float32, over the epoch so far.
    """

    objective: jax.Array
    loss: jax.Array
    accuracy: jax.Array


def cross_entropy(logits: jax.Array, labels: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    r"""Cross-entropy of each image, against the label or its smoothed distribution.

    .. math:: -\sum_k q_k \log p_k, \qquad q_k = (1 - \epsilon) [k = y] + \epsilon / K

    Args:
      logits: (B, K), of any float type; computed in float32.
      labels: (B,) integers.
      label_smoothing: ε, in [0, 1).

    Returns:
      (B,) float32.

    Example:
      >>> round(float(cross_entropy(jnp.zeros((1, 10)), jnp.array([3]))[0]), 4)
      2.3026
    """
    logits = logits.astype(jnp.float32)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return optax.softmax_cross_entropy(logits, targets)


def make_train_step(
    model: nn.Module,
    preprocess: Callable[[jax.Array], jax.Array],
    optimizer: optax.GradientTransformation,
    augment: Augmentation,
    key: jax.Array,
    label_smoothing: float = 0.0,
) -> Callable[[TrainState, Batch], tuple[TrainState, Report]]:
    """The step of training, to be compiled once.

    It minimizes the weighted mean of the images' losses, with `AUX_WEIGHT` times that of every auxiliary head.
    Randomness at step t comes from `fold_in(key, t)` and nothing else.

    Args:
      model: of the zoo's signature.
      preprocess: normalization of images in [0, 1].
      optimizer: moves the parameters.
      augment: random changes of images in [0, 1].
      key: of the whole run.
      label_smoothing: in [0, 1).

    Returns:
      A jitted function of the state, whose memory it takes over, and a batch.
    """

    def objective(params, state, batch):
        augment_key, dropout_key = jax.random.split(jax.random.fold_in(key, state.step))
        logits, updates = model.apply(
            {**state.variables, "params": params},
            preprocess(augment(augment_key, batch.images)),
            train=True,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats", "aux_logits"],
        )

        def mean(logits):
            losses = cross_entropy(logits, batch.labels, label_smoothing)
            return jnp.sum(losses * batch.weights) / jnp.sum(batch.weights)

        auxiliary = jax.tree.leaves(updates.get("aux_logits", {}))
        return mean(logits) + AUX_WEIGHT * sum(map(mean, auxiliary)), (logits, updates)

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Report]:
        params = state.variables["params"]
        (value, (logits, updates)), gradients = jax.value_and_grad(objective, has_aux=True)(params, state, batch)
        # Where a user forbids promotion, optax's counts still meet its floats.
        with jax.numpy_dtype_promotion("standard"):
            moves, opt_state = optimizer.update(gradients, state.opt_state, params)
        moved = {"params": optax.apply_updates(params, moves)}
        variables = {kind: (updates | moved).get(kind, old) for kind, old in state.variables.items()}
        total = metrics.update(state.metrics, logits, batch.labels, cross_entropy(logits, batch.labels), batch.weights)
        count = jnp.sum(total.confusion).astype(jnp.float32)
        report = Report(value, total.loss / count, jnp.trace(total.confusion).astype(jnp.float32) / count)
        return TrainState(state.step + 1, state.epoch, variables, opt_state, total), report

    return train_step


def make_evaluation_step(
    model: nn.Module, preprocess: Callable[[jax.Array], jax.Array]
) -> Callable[[dict[str, Any], Metrics, Batch], Metrics]:
    """The step of evaluation, to be compiled once: adds a batch to metrics.

    Args:
      model: of the zoo's signature.
      preprocess: normalization of images in [0, 1].

    Returns:
      A jitted function of the variables, the metrics so far and a batch.
    """

    @jax.jit
    def evaluation_step(variables: dict[str, Any], total: Metrics, batch: Batch) -> Metrics:
        logits: Any = model.apply(variables, preprocess(batch.images))
        return metrics.update(total, logits, batch.labels, cross_entropy(logits, batch.labels), batch.weights)

    return evaluation_step

"""Optimizers and learning-rate schedules by name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax


class Optimizer(NamedTuple):
    """One optimizer.

    Attributes:
      build: from a schedule and a weight decay.
      learning_rate: its default peak.
    """

    build: Callable[[optax.Schedule, float], optax.GradientTransformation]
    learning_rate: float


def decayed(params: Any) -> Any:
    """A mask of the parameters with weight decay: kernels, not the biases and scales of one axis."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def sgd(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    r"""Stochastic gradient descent with momentum 0.9 and L2 regularization.

    .. math:: m ← 0.9\, m + g + λ w, \qquad w ← w − η m

    Reference: Sutskever et al., 2013, "On the importance of initialization and momentum in deep learning".
    """
    return optax.chain(optax.add_decayed_weights(weight_decay, mask=decayed), optax.sgd(schedule, momentum=0.9))


def adamw(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Adam with weight decay apart from the gradient.

    Reference: Loshchilov & Hutter, 2019, arXiv:1711.05101.
    """
    return optax.adamw(schedule, weight_decay=weight_decay, mask=decayed)


OPTIMIZERS = {"sgd": Optimizer(sgd, 0.1), "adamw": Optimizer(adamw, 3e-3)}

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "cosine": optax.cosine_decay_schedule,
    "constant": lambda peak, steps: optax.constant_schedule(peak),
}


def schedule(name: str, peak: float, warmup_steps: int, steps: int) -> optax.Schedule:
    r"""A linear warm-up to the peak, then the named schedule over the remaining steps.

    The cosine is :math:`\eta_t = \tfrac{1}{2} \eta (1 + \cos(\pi t / T))`, from the peak down to 0.

    Args:
      name: one of `SCHEDULES`.
      peak: the largest learning rate.
      warmup_steps: steps until the peak, fewer than `steps`; 0: none.
      steps: of the whole training.

    Returns:
      A function from the step, counted from 0, to the learning rate.

    Example:
      >>> rate = schedule("cosine", 0.1, warmup_steps=10, steps=110)
      >>> [round(float(rate(step)), 3) for step in (0, 9, 60, 110)]
      [0.01, 0.1, 0.05, 0.0]
    """
    after = SCHEDULES[name](peak, max(steps - warmup_steps, 1))
    if not warmup_steps:
        return after
    # The first step is not wasted on a rate of 0.
    warmup = optax.linear_schedule(peak / warmup_steps, peak, max(warmup_steps - 1, 1))
    return optax.join_schedules([warmup, after], [warmup_steps])

"""Learning-rate schedules by name; all count updates of the parameters, and come after a warm-up."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax import contrib

CUT = 0.1
"""Factor of the learning rate at a step of the step schedule, and on a plateau."""
STEPS_AT = (0.5, 0.75)
"""Shares of the updates after the warm-up at which the step schedule cuts.

Reference: He et al., 2015, arXiv:1512.03385.
"""


def _step(peak: float, updates: int) -> optax.Schedule:
    return optax.piecewise_constant_schedule(peak, {int(share * updates): CUT for share in STEPS_AT})


SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "cosine": optax.cosine_decay_schedule,
    "step": _step,
    "plateau": lambda peak, updates: optax.constant_schedule(peak),
    "constant": lambda peak, updates: optax.constant_schedule(peak),
}
"""By name, as typed after `--schedule`; a plateau's cuts come from `plateau`."""


def schedule(name: str, peak: float, warmup: int, updates: int) -> optax.Schedule:
    r"""A linear warm-up to the peak, then the named schedule over the remaining updates.

    The cosine is :math:`\eta_t = \tfrac{1}{2} \eta (1 + \cos(\pi t / T))`, from the peak down to 0.

    Args:
      name: one of `SCHEDULES`.
      peak: the largest learning rate.
      warmup: updates until the peak, fewer than `updates`; 0: none.
      updates: of the whole training.

    Returns:
      A function from the update, counted from 0, to the learning rate.

    Example:
      >>> rate = schedule("cosine", 0.1, warmup=10, updates=110)
      >>> [round(float(rate(step)), 3) for step in (0, 9, 60, 110)]
      [0.01, 0.1, 0.05, 0.0]
    """
    after = SCHEDULES[name](peak, max(updates - warmup, 1))
    if not warmup:
        return after
    # The first update is not wasted on a rate of 0.
    rise = optax.linear_schedule(peak / warmup, peak, max(warmup - 1, 1))
    return optax.join_schedules([rise, after], [warmup])


def plateau(patience: int) -> optax.GradientTransformationExtraArgs:
    """Cuts of the rate by `CUT` after `patience` evaluations in a row without a lower loss.

    The count is that of Keras' `ReduceLROnPlateau`; PyTorch's cuts one evaluation later. A loss must fall by more than
    a ten-thousandth of the best to count as lower; NaN does not.

    Args:
      patience: evaluations, at least 1.

    Returns:
      A transformation for `after_evaluation`; its state's `scale` is the factor of the rate so far.

    Example:
      >>> plateau(2).init({"kernel": jnp.zeros(1)}).scale.tolist()
      1.0
    """
    return contrib.reduce_on_plateau(factor=CUT, patience=patience)


def after_evaluation(state: Any, patience: int, loss: float) -> Any:
    """The state of `plateau` after an evaluation; to be called once for each.

    Example:
      >>> state = plateau(2).init({"kernel": jnp.zeros(1)})
      >>> for loss in (1.0, 0.5, 0.6, 0.5):
      ...     state = after_evaluation(state, 2, loss)
      >>> round(float(state.scale), 3)
      0.1
    """
    # optax' counts meet its floats.
    with jax.numpy_dtype_promotion("standard"):
        _, new = plateau(patience).update((), state, value=jnp.asarray(loss, jnp.float32))
    return jax.tree.map(lambda leaf, old: jnp.asarray(leaf, old.dtype), new, state)

"""Optimizers by name; weight decay spares biases and the scales of normalizations in all of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax
from optax import contrib


class Optimizer(NamedTuple):
    """One optimizer.

    Attributes:
      build: from a schedule, a weight decay and `settings` by keyword.
      learning_rate: its default peak.
      settings: the fields of `train.Config` that it takes beside rate and decay.
    """

    build: Callable[..., optax.GradientTransformation]
    learning_rate: float
    settings: tuple[str, ...] = ()


def decayed(params: Any) -> Any:
    """A mask of the parameters with weight decay: kernels, not the biases and scales of one axis."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def sgd(
    schedule: optax.Schedule, weight_decay: float, momentum: float = 0.9, nesterov: bool = False
) -> optax.GradientTransformation:
    r"""Stochastic gradient descent with momentum μ and L2 regularization.

    .. math:: m ← μ m + g + λ w, \qquad w ← w − η m

    With `nesterov` the step is :math:`w ← w − η (μ m + g + λ w)`.

    Reference: Sutskever et al., 2013, "On the importance of initialization and momentum in deep learning".
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decayed), optax.sgd(schedule, momentum=momentum, nesterov=nesterov)
    )


def adam(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Adam, with L2 regularization as a part of the gradient.

    Reference: Kingma & Ba, 2014, arXiv:1412.6980.
    """
    return optax.chain(optax.add_decayed_weights(weight_decay, mask=decayed), optax.adam(schedule))


def adamw(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Adam with weight decay apart from the gradient.

    Reference: Loshchilov & Hutter, 2019, arXiv:1711.05101.
    """
    return optax.adamw(schedule, weight_decay=weight_decay, mask=decayed)


def lars(
    schedule: optax.Schedule, weight_decay: float, momentum: float = 0.9, nesterov: bool = False
) -> optax.GradientTransformation:
    r"""Layer-wise adaptive rates: in each kernel the step is scaled to 0.001 of the norm of the weights.

    .. math:: m ← μ m + η \frac{0.001 ‖w‖}{‖g + λ w‖} (g + λ w), \qquad w ← w − m

    Biases and scales take the plain step. Reference: You et al., 2017, arXiv:1708.03888.
    """
    return optax.lars(
        schedule,
        weight_decay,
        weight_decay_mask=decayed,
        trust_ratio_mask=decayed,
        momentum=momentum,
        nesterov=nesterov,
    )


def lamb(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Adam whose step in each array is scaled to the norm of its weights, for large batches.

    Reference: You et al., 2019, arXiv:1904.00962.
    """
    return optax.lamb(schedule, weight_decay=weight_decay, mask=decayed)


def muon(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Momentum made orthogonal by Newton-Schulz iterations, for kernels; Adam with Nesterov momentum for the rest.

    A kernel (..., outputs) counts as a matrix of all its inputs by its outputs. Steps are scaled to the size of
    AdamW's (0.2 √max(inputs, outputs)), so that its learning rates fit. References: Jordan et al., 2024,
    "Muon"; Liu et al., 2025, arXiv:2502.16982.
    """

    def matrices(params: Any) -> Any:
        def axes(leaf):
            inputs = tuple(range(leaf.ndim - 1))
            return contrib.MuonDimensionNumbers(inputs, leaf.ndim - 1) if leaf.ndim > 1 else None

        return jax.tree.map(axes, params)

    return contrib.muon(
        schedule,
        weight_decay=weight_decay,
        weight_decay_mask=decayed,
        muon_weight_dimension_numbers=matrices,
        consistent_rms=0.2,
    )


OPTIMIZERS = {
    "sgd": Optimizer(sgd, 0.1, ("momentum", "nesterov")),
    "adam": Optimizer(adam, 1e-3),
    "adamw": Optimizer(adamw, 3e-3),
    "lars": Optimizer(lars, 1.0, ("momentum", "nesterov")),
    "lamb": Optimizer(lamb, 3e-3),
    "muon": Optimizer(muon, 3e-3),
}
"""By name, as typed after `--optimizer`."""

"""The loop behind every picture made by optimisation: Adam on the coordinates of an image.

Maximisation, inversion and caricatures differ in their objective alone.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from analysis import checks, execution
from analysis.features import transforms
from analysis.features.parametrizations import Fourier, Parametrization, Pixels
from convzoo.checks import choice, integer

ADAM = optax.scale_by_adam()
HISTORY = 1024
PARAMETRIZATIONS = {"fourier": Fourier(), "pixels": Pixels()}


class Plan(NamedTuple):
    """The settings of an ascent, for any objective.

    Attributes:
      parametrization: the coordinates.
      transforms: (key, image) → image functions through which the objective sees the images.
      regularizers: images → (N,) penalties.
      steps: number of steps.
      first, last: learning rates; the rate goes from one to the other in a straight line.
    """

    parametrization: Parametrization
    transforms: tuple[transforms.Transform, ...]
    regularizers: tuple[Callable, ...]
    steps: int
    first: float
    last: float


def plan(
    parametrization: str | Parametrization,
    transforms: Sequence[transforms.Transform],
    regularizers: Sequence[Callable],
    steps: int,
    first: float,
    last: float,
) -> Plan:
    """A plan from the arguments of a user, checked.

    Raises:
      ValueError: an unknown parametrization, transforms or regularizers that are not functions, or numbers out of
        range.
    """
    if not isinstance(parametrization, Parametrization):
        choice("parametrization", parametrization, PARAMETRIZATIONS)
        parametrization = PARAMETRIZATIONS[parametrization]
    for name, functions in (("transforms", transforms), ("regularizers", regularizers)):
        if not isinstance(functions, Sequence) or not all(map(callable, functions)):
            raise ValueError(f"{name}={functions!r}: expected a sequence of functions")
    integer("steps", steps)
    if checks.is_concrete(first) and not 0 < first < np.inf:
        raise ValueError(f"learning_rate={first!r}: expected a positive number")
    # A function becomes a pytree; a regularizer of ours is one already.
    arguments = tuple(r if not jax.tree_util.all_leaves([r]) else execution.as_argument(r) for r in regularizers)
    return Plan(parametrization, tuple(transforms), arguments, steps, first, last)


class _Climb(NamedTuple):
    at: jax.Array
    moments: Any
    step: jax.Array
    history: jax.Array


def climb(
    objective: Callable, plan: Plan, keys: jax.Array, start: jax.Array | tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    r"""Images that make an objective large.

    .. math:: z_{t+1} = \Pi\big( z_t + \mathrm{Adam}(\nabla_z [ J(\tau_t(x(z))) - \sum_r R_r(x(z)) ]) \big)

    Args:
      objective: a `Partial` (images, look) → (N,) what is to be large, where `look` shows (N, H, W, C) images
        through this step's transforms.
      plan: the settings.
      keys: (N,), one an image.
      start: (N, H, W, C) images in [0, 1] to start at, or the shape (H, W, C) of one, to start at noise.

    Returns:
      (N, H, W, C) images in [0, 1], and (N, steps) the objective before each step.
    """
    state, advance = _ready(objective, plan, keys, start)
    state = advance(state, plan.steps)
    return _images(plan, state), state.history[:, : plan.steps]


def frames(objective: Callable, plan: Plan, keys: jax.Array, start: jax.Array | tuple[int, ...]) -> Iterator[jax.Array]:
    """The images after each step of `climb`, which takes the same arguments: (N, H, W, C) in [0, 1], `steps` times."""
    state, advance = _ready(objective, plan, keys, start)
    for _ in range(plan.steps):
        state = advance(state, 1)
        yield _images(plan, state)


def _ready(
    objective: Callable, plan: Plan, keys: jax.Array, start: Any
) -> tuple[_Climb, Callable[[_Climb, int], _Climb]]:
    """The state before the first step, and (state, steps) → the state so many steps later."""
    place = execution.Static(start) if isinstance(start, tuple) else jnp.asarray(start)
    at, moments, viewed = _start(execution.Static(plan.parametrization), keys, place)
    # A multiple of some length, so that the program does not depend on every number of steps.
    history = np.zeros((len(keys), -(-plan.steps // HISTORY) * HISTORY), np.float32)
    state = _Climb(at, moments, jnp.int32(0), jnp.asarray(history))
    step = _Step(plan.parametrization, plan.transforms)
    rates = jnp.float32(plan.first), jnp.float32((plan.last - plan.first) / plan.steps)
    return state, lambda state, steps: execution.iterate(
        step, state, steps, objective, plan.regularizers, viewed, rates
    )


def _images(plan: Plan, state: _Climb) -> jax.Array:
    return _decoded(execution.Static(plan.parametrization), state.at)


@jax.jit
def _decoded(parametrization: execution.Static, at: jax.Array) -> jax.Array:
    return jnp.clip(jax.vmap(parametrization.value.decode)(at), 0, 1)


@dataclasses.dataclass(frozen=True)
class _Step:
    """One step; a class so that equal steps are equal functions."""

    parametrization: Parametrization
    transforms: tuple[transforms.Transform, ...]

    def __call__(self, state, objective, regularizers, keys, rates):
        keys = jax.vmap(jax.random.fold_in, (0, None))(keys, state.step)

        def loss(at):
            images = jax.vmap(self.parametrization.decode)(at)
            gain = objective(images, lambda images: transforms.apply(self.transforms, keys, images))
            penalty = sum((regularizer(images) for regularizer in regularizers), jnp.zeros_like(gain))
            return (penalty - gain).sum(), gain

        gradient, gain = jax.grad(loss, has_aux=True)(state.at)
        # Where a user forbids promotion, optax's counts still meet its floats.
        with jax.numpy_dtype_promotion("standard"):
            change, moments = jax.vmap(ADAM.update)(gradient, state.moments)
        first, slope = rates
        rate = (first + slope * state.step.astype(jnp.float32)).astype(change.dtype)
        at = jax.vmap(self.parametrization.project)(state.at - rate * change)
        history = state.history.at[:, state.step].set(gain.astype(jnp.float32))
        return _Climb(at, moments, state.step + 1, history)


@jax.jit
def _start(
    parametrization: execution.Static, keys: jax.Array, start: execution.Static | jax.Array
) -> tuple[jax.Array, Any, jax.Array]:
    """Coordinates, Adam's moments and the keys of the views; a start that is no array is the shape of an image."""
    drawn, viewed = jax.vmap(lambda key: jax.random.split(key), out_axes=1)(keys)
    if isinstance(start, execution.Static):
        at = jax.vmap(lambda key: parametrization.value.start(key, start.value))(drawn)
    else:
        at = jax.vmap(parametrization.value.encode)(start)
    return at, jax.vmap(ADAM.init)(at), viewed

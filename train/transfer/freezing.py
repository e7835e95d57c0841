"""Frozen parameters and rates by group: the optimizer, and normalizations whose statistics stay."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from train.transfer.rules import Group

Build = Callable[[float, int], optax.GradientTransformation]
"""(peak rate, number of updates) → an optimizer."""


def optimizer(groups: Mapping[str, Group], build: Build, epochs: int, updates: int) -> optax.GradientTransformation:
    """An optimizer with a rate, a schedule and weight decay of its own for every group.

    Frozen parameters have none of them: decay outside of the groups would move them.

    Args:
      groups: of each parameter, by path.
      build: makes the optimizer of one group.
      epochs: of the run.
      updates: of an epoch.

    Returns:
      The transformation of the gradient of all parameters.
    """

    def one(group: Group) -> optax.GradientTransformation:
        if not group.rate:
            return optax.set_to_zero()
        start = first_epoch(group, epochs)
        inner = build(group.rate, (epochs - start) * updates)
        return delayed(inner, start * updates) if start else inner

    names = {group: f"{group.rate:g} from {group.start:g}" for group in dict.fromkeys(groups.values())}

    def labels(params: Any) -> Any:
        return unflatten_dict({path: names[groups["/".join(path)]] for path in flatten_dict(params)})

    return optax.multi_transform({name: one(group) for group, name in names.items()}, labels)


def first_epoch(group: Group, epochs: int) -> int:
    """The epoch in which a group begins to move, counted from 0; the last one at the latest.

    Example:
      >>> first_epoch(Group(0.1), 9), first_epoch(Group(0.1, start=1 / 3), 9)
      (0, 3)
    """
    return min(round(group.start * epochs), epochs - 1)


def frozen(groups: Mapping[str, Group], epoch: int, epochs: int) -> frozenset[str]:
    """The parameters that do not move in an epoch.

    Example:
      >>> sorted(frozen({"stem/kernel": Group(0), "head/kernel": Group(0.1)}, epoch=0, epochs=3))
      ['stem/kernel']
    """
    return frozenset(path for path, group in groups.items() if not group.rate or epoch < first_epoch(group, epochs))


class Delay(NamedTuple):
    """The state of `delayed`.

    Attributes:
      updates: () int32, those done.
      inner: the optimizer's state, which waits with it.
    """

    updates: jax.Array
    inner: Any


def delayed(inner: optax.GradientTransformation, start: int) -> optax.GradientTransformation:
    """An optimizer that begins at an update: until then moves are 0 and nothing is counted or averaged.

    Args:
      inner: the optimizer.
      start: updates to wait.

    Example:
      >>> late = delayed(optax.sgd(1.0), start=1)
      >>> state, moves = late.init(jnp.zeros(1)), []
      >>> for _ in range(2):
      ...     move, state = late.update(jnp.ones(1), state)
      ...     moves.append(move.item())
      >>> moves
      [0.0, -1.0]
    """

    def init(params: Any) -> Delay:
        return Delay(jnp.zeros((), jnp.int32), inner.init(params))

    def update(gradients: Any, state: Delay, params: Any = None) -> tuple[Any, Delay]:
        moves, moved = inner.update(gradients, state.inner, params)
        active = state.updates >= start
        moves = jax.tree.map(lambda move: jnp.where(active, move, jnp.zeros_like(move)), moves)
        kept = jax.tree.map(lambda new, old: jnp.where(active, new, old), moved, state.inner)
        return moves, Delay(state.updates + 1, kept)

    return optax.GradientTransformation(init, update)


def without(gradients: Any, paths: Collection[str]) -> Any:
    """Gradients that are 0 for some parameters, so that they count in no norm and are not computed."""
    flat = flatten_dict(gradients)
    return unflatten_dict({path: jnp.zeros_like(g) if "/".join(path) in paths else g for path, g in flat.items()})


@contextlib.contextmanager
def frozen_norms(paths: Collection[str]) -> Iterator[None]:
    """A context in which batch normalizations with frozen parameters use their running averages, and keep them.

    Args:
      paths: of the frozen parameters.
    """

    def keep(call: Any, arguments: Any, settings: Any, context: Any) -> Any:
        module = context.module
        if isinstance(module, nn.BatchNorm) and f"{'/'.join(module.path)}/scale" in paths:
            # Of this one call: Linen makes the module anew in each.
            object.__setattr__(module, "use_running_average", True)
        return call(*arguments, **settings)

    with nn.intercept_methods(keep):
        yield

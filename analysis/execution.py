"""Execution: compiled once, in batches of bounded memory, iterated in the form that suits the backend.

What is computed is the same everywhere; how is decided here and nowhere else.

| an iterative method | form | why |
|---|---|---|
| on CPU | Python loop over a jitted step | a convolution inside `scan` or `while_loop` runs about 8× slower there |
| on GPU and TPU | one `fori_loop` | no round trip to the host between steps |
| inside a user's `jit`, `grad` or `vmap` | unrolled | the platform is not known yet, and it stays differentiable |
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from convzoo.checks import is_integer

T = TypeVar("T")
PATIENCE = 3.0  # seconds before a progress bar appears


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True, eq=False)
class Static:
    """Any object as a static part of a compiled program: a pytree without leaves.

    It is recognised by equality, or by identity where it cannot be hashed, such as a model whose
    fields hold a list.

    Attributes:
      value: the object.

    Example:
      >>> layers = [1, 2]
      >>> Static(layers) == Static(layers), Static(layers) == Static([1, 2]), Static((1, 2)) == Static((1, 2))
      (True, False, True)
    """

    value: Any

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Call the object."""
        return self.value(*args, **settings)

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Static):
            return NotImplemented
        return self.value is other.value or (hash(self) == hash(other) and bool(self.value == other.value))


def as_argument(function: Callable) -> Partial:
    """A function as a pytree, so that a compiled function takes it as an argument.

    What a `jax.tree_util.Partial` holds become arguments of the compiled program: new weights do not
    recompile, and they are not constants in it. A `functools.partial` over arrays alone is read the
    same way. Any other callable is part of the program (`Static`): keep it and pass it again, since an
    equal-looking lambda made anew compiles anew.

    Args:
      function: any callable.

    Returns:
      A `jax.tree_util.Partial`.

    Raises:
      ValueError: not callable.

    Example:
      >>> weights = jnp.ones((3, 2))
      >>> len(jax.tree.leaves(as_argument(functools.partial(jnp.dot, weights))))
      1
    """
    if isinstance(function, Partial):
        return function
    if isinstance(function, functools.partial):
        held = jax.tree.leaves((function.args, function.keywords))
        if held and all(isinstance(leaf, jax.Array | np.ndarray) for leaf in held):
            return Partial(Static(function.func), *function.args, **function.keywords)
    if not callable(function):
        raise ValueError(f"{function!r} is not callable: expected a function of images")
    return Partial(Static(function))


@jax.jit
def call(function: Partial, *args: Any) -> Any:
    """`function(*args)`, compiled once for equal functions and equal shapes."""
    return function(*args)


def in_batches(function: Callable[..., T], batch_size: int | None, *trees: Any) -> T:
    """Apply a function of whole batches to any number of examples, `batch_size` at a time.

    The last batch is filled by repeating the last example, so every batch has the same shape: one
    program serves all, and an example's result is the same bits whoever else is in the call.

    Args:
      function: takes trees with `batch_size` rows, and gives a tree with as many.
      batch_size: examples held at once; None: all of them.
      *trees: arrays, or trees of them, with one row an example.

    Returns:
      What `function` gives, with one row an example.

    Raises:
      ValueError: a batch size that is not a positive integer.

    Example:
      >>> in_batches(lambda x: 2 * x, 2, jnp.arange(5)).tolist()
      [0, 2, 4, 6, 8]
    """
    _check_batch_size(batch_size)
    count = jax.tree.leaves(trees)[0].shape[0]
    size = batch_size or count
    if size == count:
        return jax.tree.map(jnp.asarray, function(*trees))
    results = []
    for start in _with_progress(range(0, count, size)):
        rows = np.minimum(np.arange(start, start + size), count - 1)
        results.append(function(*jax.tree.map(lambda leaf, rows=rows: rows_of(leaf, rows), trees)))
    return jax.tree.map(lambda *parts: _joined(count, *parts), *results)


@functools.partial(jax.jit, static_argnums=0)
def _joined(count: int, *parts: jax.Array) -> jax.Array:
    return jnp.concatenate(parts)[:count]


def rows_of(leaf: Any, rows: np.ndarray) -> Any:
    """Rows of an array: NumPy's stay on the host, JAX's are taken by one program for equal shapes.

    Args:
      leaf: an array.
      rows: (M,) integers that are rows of it.

    Returns:
      The (M, ...) rows, as an array of the same library.

    Example:
      >>> rows_of(jnp.arange(3) * 10, np.array([2, 0])).tolist()
      [20, 0]
    """
    return leaf[rows] if isinstance(leaf, np.ndarray) else _taken(leaf, rows)


@jax.jit
def _taken(leaf: jax.Array, rows: jax.Array) -> jax.Array:
    return leaf[rows]


def sum_over_samples(function: Callable[..., T], samples: int, batch_size: int | None, *trees: Any) -> T:
    """For any number of examples, the sum of a function over samples of each, `batch_size` samples at a time.

    A batch holds all samples of some examples, or some samples of one: always the same shape for the same
    `batch_size` and `samples`, so that an example's sum is the same bits whoever else is in the call. Sums are
    kept, samples are not: memory does not grow with their number.

    Args:
      function: takes the numbers of the samples, (rows,) integers below `samples`, and trees with as many rows,
        each the example that its sample belongs to; gives a tree with as many rows.
      samples: samples of each example.
      batch_size: samples held at once; None: all of them.
      *trees: arrays, or trees of them, with one row an example.

    Returns:
      The sums of what `function` gives, with one row an example.

    Raises:
      ValueError: a batch size that is not a positive integer.

    Example:
      >>> sum_over_samples(lambda sample, x: sample * x, 3, 2, jnp.arange(1, 3)).tolist()
      [3, 6]
    """
    _check_batch_size(batch_size)
    size = batch_size or samples * jax.tree.leaves(trees)[0].shape[0]
    parts = -(-samples // size)  # of one example, equally large, so that little is computed for nothing
    width = -(-samples // parts)

    def of_rows(*trees):
        rows = jax.tree.leaves(trees)[0].shape[0]
        spread = jax.tree.map(lambda leaf: rows_of(leaf, np.repeat(np.arange(rows), width)), trees)
        total = None
        for start in _with_progress(range(0, samples, width)):
            numbers = np.arange(start, start + width)
            terms = function(np.tile(np.minimum(numbers, samples - 1), rows), *spread)
            sums = _live_sums(terms, numbers < samples)
            total = sums if total is None else jax.tree.map(jnp.add, total, sums)
        return total

    return in_batches(of_rows, max(1, size // samples), *trees)


@jax.jit
def _live_sums(terms: T, live: jax.Array) -> T:
    """Sums over the samples of each example, leaving out those that only fill the batch."""

    def of_leaf(leaf):
        leaf = leaf.reshape(-1, live.size, *leaf.shape[1:])
        mask = jnp.expand_dims(live, (0, *range(2, leaf.ndim)))
        return jnp.where(mask, leaf, jnp.zeros((), leaf.dtype)).sum(1, dtype=leaf.dtype)

    return jax.tree.map(of_leaf, terms)


def _check_batch_size(batch_size: Any) -> None:
    if batch_size is not None and not (is_integer(batch_size) and batch_size >= 1):
        raise ValueError(f"batch_size={batch_size!r}: expected a positive integer, or None for all at once")


def _with_progress(batches: range) -> Iterable[int]:
    """A bar on the terminal's standard error, if there is one, for what takes longer than a few seconds."""
    if len(batches) < 2 or not sys.stderr.isatty():
        return batches
    from tqdm import tqdm

    return tqdm(batches, delay=PATIENCE, leave=False, unit="batch", file=sys.stderr)


def iterate(step: Callable[..., T], state: T, steps: int, *args: Any) -> T:
    """The state after `state = step(state, *args)`, `steps` times.

    The step is compiled once for equal shapes, across calls as well: give one that lives as long as the
    program, such as a function of a module, and hand it everything that varies through `args`.

    Args:
      step: takes the state and `args`, and gives a state of the same shapes and types.
      state: a tree of arrays.
      steps: number of steps; a step that needs its index carries it in the state.
      *args: what stays the same over the steps: trees of arrays, numbers and `Partial`s.

    Returns:
      The last state.

    Example:
      >>> int(iterate(jnp.add, jnp.int32(0), 5, jnp.int32(2)))
      10
    """
    step = as_argument(step)
    if _platform((state, args)) in ("cpu", None):
        for _ in range(steps):
            state = call(step, state, *args)
        return state
    return _loop(step, state, steps, args)


@jax.jit
def _loop(step: Partial, state: T, steps: int, args: tuple) -> T:
    return jax.lax.fori_loop(0, steps, lambda _, state: step(state, *args), state)


def _platform(tree: Any) -> str | None:
    """Where a tree of arrays lives; None: in a program that is being traced."""
    arrays = [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)]
    if any(isinstance(leaf, jax.core.Tracer) for leaf in arrays):
        return None
    return next((device.platform for leaf in arrays for device in leaf.devices()), jax.default_backend())

"""Checks of images, labels and logits, before anything is compiled.

Shapes and types are always checked. Values can only be seen in concrete arrays: inside a
user's `jit`, `grad` or `vmap` the checks of values are left out.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import FlaxError

from analysis import execution
from convzoo import checks as values


def inputs(logits_fn: Callable, images: Any, labels: Any) -> tuple[jax.tree_util.Partial, Any, jax.Array]:
    """The three arguments that methods share, checked and in the form that a compiled function takes.

    Args:
      logits_fn: (N, H, W, C) images → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) integers in [0, classes).

    Returns:
      The function as a pytree, the images, and the labels as int32.

    Raises:
      ValueError: anything of the above that does not hold.
    """
    function = execution.as_argument(logits_fn)
    checked = as_images(images)
    return function, checked, as_labels(labels, classes_of(function, checked), len(checked))


def is_concrete(value: Any) -> bool:
    """Whether a value's numbers can be looked at, which those of a tracer cannot."""
    return not isinstance(value, jax.core.Tracer)


def as_images(images: Any) -> Any:
    """Images as an array, NumPy's if it was not JAX's: that one stays on the host until its batch comes.

    Raises:
      ValueError: not (N, H, W, C), no image, not floats, NaN, or outside [0, 1].
    """
    array = images if isinstance(images, jax.Array) else np.asarray(images)
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(f"images of shape {array.shape}: expected (N, H, W, C), none of them zero")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"images of type {array.dtype}: expected floats in [0, 1]; divide bytes by 255")
    array = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
    if is_concrete(array):
        values = np.asarray(array)  # XLA's minimum on CPU loses NaN in large arrays, and would be traced under jit
        if np.isnan(values).any():
            raise ValueError("images hold NaN: expected floats in [0, 1]")
        low, high = float(values.min()), float(values.max())
        if low < 0 or high > 1:
            raise ValueError(
                f"images span [{low:g}, {high:g}]: expected [0, 1]; normalization belongs inside the logits function"
            )
    return array


def classes_of(logits_fn: jax.tree_util.Partial, images: Any) -> int:
    """The width of a function's logits, from shapes alone.

    Raises:
      ValueError: the function does not take such images, does not give (N, classes) floats, or holds parameters that
        are not finite.
    """
    finite(logits_fn)
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    try:
        logits = jax.eval_shape(execution.call, logits_fn, one)
    except (TypeError, FlaxError) as error:
        raise ValueError(f"the logits function does not take images of shape {one.shape}: {error}") from error
    is_array = isinstance(logits, jax.ShapeDtypeStruct)
    if not is_array or logits.ndim != 2 or len(logits) != 1 or not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(
            f"the logits function gave {form(logits)} for images of shape {one.shape}: "
            "expected floats of shape (1, classes)"
        )
    return logits.shape[1]


def finite(function: Any) -> None:
    """Refuse a network whose parameters hold NaN or infinity: maps, images and attacks of it would mean nothing.

    Args:
      function: a pytree, such as a `Partial` that holds variables. Tracers and shapes are not looked at.

    Raises:
      ValueError: with the name of the first such parameter.

    Example:
      >>> finite({"params": {"kernel": np.ones(2), "bias": np.full(2, np.nan)}})
      Traceback (most recent call last):
      ValueError: params/bias holds NaN: expected finite parameters
    """
    bad = [(path, leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(function) if not _is_finite(leaf)]
    if not bad:
        return
    # Statistics follow from the parameters.
    path, leaf = next((pair for pair in bad if "params" in _name(pair[0])), bad[0])
    kind = "NaN" if np.isnan(np.asarray(leaf, np.float32)).any() else "infinity"
    more = f", and so do {len(bad) - 1} more arrays" if len(bad) > 1 else ""
    raise ValueError(f"{_name(path)} holds {kind}{more}: expected finite parameters")


def _is_finite(leaf: Any) -> bool:
    if not isinstance(leaf, jax.Array | np.ndarray) or not is_concrete(leaf):
        return True
    return not jnp.issubdtype(leaf.dtype, jnp.floating) or bool(np.isfinite(np.asarray(leaf)).all())


def _name(path: tuple) -> str:
    keys = [str(entry.key) for entry in path if isinstance(entry, jax.tree_util.DictKey)]
    return "/".join(keys) or f"the array at {jax.tree_util.keystr(path)}"


SECOND_CLASS = (
    "of one logit z make two, 0 and z, whose softmax is the sigmoid of z: jnp.pad(logits, ((0, 0), (1, 0))) in a "
    "function, zoo.surgery.with_two_classes for a model"
)
"""The remedy for a binary network with one output."""


def second_class(logits: Any) -> str:
    """The remedy as the end of an error message, if these are single logits or probabilities; else an empty string."""
    return f"; {SECOND_CLASS}" if np.ndim(logits) == 1 or np.shape(logits)[1:] == (1,) else ""


def several(classes: int) -> int:
    """Return a number of classes that can be compared, or refuse a single logit.

    The softmax of one logit is 1 and its cross-entropy 0 whatever the image: maps and attacks would vanish silently.

    Raises:
      ValueError: fewer than two classes.

    Example:
      >>> several(10)
      10
    """
    if classes < 2:
        raise ValueError(f"the logits function gives {classes} logit: expected 2 classes or more; {SECOND_CLASS}")
    return classes


def as_labels(labels: Any, classes: int | None, count: int, name: str = "labels") -> jax.Array:
    """One class an image, as int32.

    Args:
      labels: (count,) integers in [0, classes).
      classes: number of classes; None where only a call of the function could tell.
      count: number of images.
      name: what they are called in the error.

    Raises:
      ValueError: wrong shape, not integers, or out of range.
    """
    array = labels if isinstance(labels, jax.Array) else np.asarray(labels)
    if array.shape != (count,):
        raise ValueError(f"{name} of shape {array.shape}: expected ({count},), one an image")
    if not jnp.issubdtype(array.dtype, jnp.integer):
        expected = "that are not negative" if classes is None else f"in [0, {classes})"
        raise ValueError(f"{name} of type {array.dtype}: expected integers {expected}")
    if is_concrete(array):
        values = np.asarray(array)
        wrong = np.flatnonzero((values < 0) if classes is None else (values < 0) | (values >= classes))
        if wrong.size:
            expected = (
                f"but there are {classes} classes: expected 0 to {classes - 1}" if classes else "expected 0 or more"
            )
            hint = f"; {SECOND_CLASS}" if classes == 1 else ""
            raise ValueError(f"{name}[{wrong[0]}] is {values[wrong[0]]}, {expected}{hint}")
    return jnp.asarray(array, jnp.int32)


def keys(key: Any, count: int) -> jax.Array:
    """(count,) keys, one an image: `fold_in(key, i)`, or as they are where there is one for each.

    Raises:
      ValueError: neither one key nor `count` of them.

    Example:
      >>> keys(jax.random.key(0), 3).shape
      (3,)
    """
    several = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 1
    if several and len(key) == count:
        return key
    return _folded(values.key("key", key), np.arange(count))


_folded = jax.jit(jax.vmap(jax.random.fold_in, (None, 0)))


def form(tree: Any) -> Any:
    """Type and shape of each array of a tree, to compare and to print.

    Example:
      >>> form(jnp.ones((2, 3)))
      'float32(2, 3)'
    """
    return jax.tree.map(lambda leaf: f"{jnp.result_type(leaf)}{jnp.shape(leaf)}", tree)


choice, did_you_mean, positive = values.choice, values.did_you_mean, values.integer

"""Classifiers under evaluation: deterministic or random, seen by gradient attacks and by attacks that only ask."""

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks, execution
from convzoo.checks import key as checked_key

Randomness = Literal["none", "key", "trace", "call"]
"""Where randomness comes from: nowhere; a key, as in `logits_fn(images, key)`; NumPy, while the function is traced; a
callback at each call."""
SMALLER = 4
"""Few images are attacked in batches of a `SMALLER`th, so that those that are done leave the batch."""


@dataclasses.dataclass(frozen=True, eq=False)
class Victim:
    """A classifier under evaluation.

    Attributes:
      function: as the user passed it.
      logits_fn: of images alone, for gradients; of a random function the mean of several draws.
      classes: number of them.
      randomness: of the function.
      samples: draws of a random function in each gradient and each verdict.
      batch_size: images held at once.
      key: of the draws.
    """

    function: Callable
    logits_fn: Partial
    classes: int
    randomness: Randomness
    samples: int
    batch_size: int
    key: jax.Array
    _draws: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    @classmethod
    def of(cls, function: Callable, images: np.ndarray, samples: int, batch_size: int, key: Any) -> "Victim":
        """The victim behind a function of images, or of images and a key.

        Raises:
          ValueError: no function of such images, or no key.
        """
        key = checked_key("key", key)
        plain = execution.as_argument(function)
        if _takes_key(function):
            return cls(
                function,
                Partial(_mean_over_keys, plain, jax.random.split(key, samples)),
                checks.several(checks.classes_of(Partial(_with_key, plain, key), images)),
                "key",
                samples,
                batch_size,
                key,
            )
        classes = checks.several(checks.classes_of(plain, images))
        randomness = _randomness(plain, images)
        logits_fn = plain if randomness == "none" else Partial(_mean_over_copies, plain, execution.Static(samples))
        return cls(function, logits_fn, classes, randomness, samples, batch_size, key)

    def size(self, count: int) -> int:
        """Images of a batch for so many: one of two sizes, so that at most two programs are compiled."""
        smaller = max(1, self.batch_size // SMALLER)
        return smaller if count <= smaller else self.batch_size

    def predict(self, images: Any) -> np.ndarray:
        """(N, classes) logits of one draw, as NumPy; the function is only called."""
        if self.randomness == "key":
            function = Partial(_with_key, execution.as_argument(self.function), self._next_key())
        elif self.randomness == "trace":
            function = execution.as_argument(lambda images: self.function(images))  # new, so traced anew
        else:
            function = execution.as_argument(self.function)
        return np.asarray(
            execution.in_batches(lambda images: execution.call(function, images), self.size(len(images)), images)
        )

    def wrong(self, images: Any, labels: np.ndarray) -> np.ndarray:
        """(N,) whether images are misclassified; by a random function, in most of its draws."""
        draws = 1 if self.randomness == "none" else self.samples
        votes = sum((self.predict(images).argmax(1) != labels).astype(int) for _ in range(draws))
        return 2 * np.asarray(votes) > draws

    def at(self, number: int) -> "Victim":
        """The same with draws of its own, so that an attack does not depend on those before it."""
        return dataclasses.replace(self, key=jax.random.fold_in(self.key, number), _draws=itertools.count())

    def _next_key(self) -> jax.Array:
        return jax.random.fold_in(self.key, next(self._draws))


def _takes_key(function: Callable) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    required = [one for one in parameters if one.default is one.empty and one.kind in (0, 1)]
    return len(required) == 2


def _randomness(function: Partial, images: np.ndarray) -> Randomness:
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    first, second = (jax.make_jaxpr(lambda images: function(images))(one) for _ in range(2))
    if any(not np.array_equal(a, b) for a, b in zip(first.consts, second.consts, strict=True)) or str(first) != str(
        second
    ):
        return "trace"
    few = jnp.asarray(images[:2])
    first_call, second_call = (np.asarray(execution.call(function, few)) for _ in range(2))
    return "none" if np.array_equal(first_call, second_call, equal_nan=True) else "call"


def _with_key(function: Partial, key: jax.Array, images: jax.Array) -> jax.Array:
    return function(images, key)


def _mean_over_keys(function: Partial, keys: jax.Array, images: jax.Array) -> jax.Array:
    return jnp.mean(jnp.stack([function(images, key) for key in keys]), axis=0)


def _mean_over_copies(function: Partial, samples: execution.Static, images: jax.Array) -> jax.Array:
    """The mean over copies of the images in one call, of which each has its own noise."""
    copies = jnp.tile(images, (samples.value, 1, 1, 1))
    return jnp.mean(function(copies).reshape(samples.value, len(images), -1), axis=0)

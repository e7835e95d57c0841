"""Queries: functions that are only called, with each call counted, and the plans of the attacks that call them.

A plan is a generator for one image: it yields the (k, H, W, C) images to ask about, receives their (k,) margins, which
are positive where the goal is reached, and returns its result. `attack` advances the plans of all images and gathers
what they ask into calls. A plan knows its own image and random numbers only, so no result depends on the others.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks
from analysis.attacks.goal import Goal
from analysis.attacks.threat import Threat
from convzoo.checks import integer
from convzoo.checks import key as checked_key

Plan = Generator[np.ndarray, np.ndarray, np.ndarray]
Reader = Callable[[Any, Goal], np.ndarray]
NOTHING = np.empty(0)


class Queried(NamedTuple):
    """Images that an attack made, and how often it asked.

    Attributes:
      images: (N, H, W, C) NumPy array, in [0, 1] and of the type of the images attacked.
      queries: (N,) images that the function was asked about for each; those that fill a batch are not counted.
    """

    images: np.ndarray
    queries: np.ndarray


def of_scores(outputs: Any, goal: Goal) -> np.ndarray:
    r"""The margin by which scores reach a goal, of logits and probabilities alike.

    .. math:: m = \pm \big( \max_{k \ne y} z_k - z_y \big)

    Args:
      outputs: (M, classes) scores, at least two an image.
      goal: M classes, as NumPy arrays.

    Returns:
      (M,) float64, NaN where a score is not finite.

    Raises:
      ValueError: outputs of another shape or type, or a label that is no class.

    Example:
      >>> of_scores([[0.75, 0.25]], Goal(np.array([0]), np.ones(1))).tolist()
      [-0.5]
    """
    scores, count = np.asarray(outputs), len(goal.classes)
    numeric = jnp.issubdtype(scores.dtype, jnp.floating) or jnp.issubdtype(scores.dtype, jnp.integer)
    if scores.ndim != 2 or len(scores) != count or scores.shape[1] < 2 or not numeric:
        raise ValueError(
            f"predict gave {checks.form(scores)} for {count} images: "
            f"expected scores of shape ({count}, classes), two classes or more{checks.second_class(scores)}"
        )
    wrong = np.flatnonzero(goal.classes >= scores.shape[1])
    if wrong.size:
        raise ValueError(
            f"{'labels' if goal.sign[wrong[0]] > 0 else 'targets'} hold {goal.classes[wrong[0]]}, "
            f"but predict gave scores of {scores.shape[1]} classes: expected 0 to {scores.shape[1] - 1}"
        )
    scores = scores.astype(np.float64)
    finite = np.isfinite(scores).all(1)
    scores[~finite] = 0
    own = np.arange(scores.shape[1]) == np.asarray(goal.classes)[:, None]
    return np.where(finite, goal.sign * (np.where(own, -np.inf, scores).max(1) - scores[own]), np.nan)


def of_labels(outputs: Any, goal: Goal) -> np.ndarray:
    """1 where predicted classes reach a goal, −1 elsewhere.

    Args:
      outputs: (M,) integers.
      goal: M classes, as NumPy arrays.

    Returns:
      (M,) float64.

    Raises:
      ValueError: outputs of another shape or type.

    Example:
      >>> of_labels([3], Goal(np.array([0]), np.ones(1))).tolist()
      [1.0]
    """
    labels, count = np.asarray(outputs), len(goal.classes)
    if labels.shape != (count,) or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"predict_labels gave {checks.form(labels)} for {count} images: expected integers of shape ({count},)"
        )
    return np.where((labels == goal.classes) == (goal.sign < 0), 1.0, -1.0)


def attack(
    function: Callable,
    read: Reader,
    images: Any,
    labels: Any,
    targets: Any,
    batch_size: int | None,
    key: jax.Array | None,
    plan: Callable[[int, np.ndarray, Any], Plan],
) -> Queried:
    """Carry out a plan for each image.

    Without a batch size, a call holds what all unfinished images ask at that moment, and nothing else; a function
    that JAX compiles is compiled anew for each number of them. With one, every call has exactly `batch_size` images:
    as many images as fill it are attacked at once, the next begins when one has finished, and only the last calls are
    filled, by repeating their last image.

    Args:
      function: called with (M, H, W, C) NumPy arrays of the type of `images`; never traced.
      read: of the functions above, for what it gives.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images of a call; None: as many as there are.
      key: from which each plan has its NumPy generator; None: none.
      plan: (number of the image, (H, W, C) image of at least float32, its generator) → its plan.

    Returns:
      What the plans return, and how much each asked.

    Raises:
      ValueError: images, labels, targets or batch size of another kind, shape or range, traced images, a function
        that cannot be called, or answers that cannot be read or are not finite.
    """
    if not callable(function):
        raise ValueError(f"{function!r} is not callable: expected a function of images")
    if batch_size is not None:
        integer("batch_size", batch_size)
    array, goal = _checked(images, labels, targets)
    wide = array.astype(np.result_type(array.dtype, np.float32))
    ask = _Asker(function, read, goal, array.dtype, batch_size)
    random = [None] * len(wide) if key is None else generators(key, len(wide))
    cases = [_Case(number, plan(number, image, random[number])) for number, image in enumerate(wide)]
    _finish(iter(cases), ask, batch_size)
    return Queried(
        np.stack([case.result for case in cases]).astype(array.dtype), np.array([case.queries for case in cases])
    )


def radius(threat: Any) -> float:
    """The radius of a threat, as a number.

    Raises:
      ValueError: no threat, or one with several radii or a traced one.

    Example:
      >>> from analysis.attacks.threat import Linf
      >>> radius(Linf(0.25))
      0.25
    """
    if not isinstance(threat, Threat):
        raise ValueError(f"threat={threat!r}: expected a threat model, such as attacks.Linf(8 / 255)")
    if not checks.is_concrete(threat.eps) or np.ndim(threat.eps) != 0:
        raise ValueError(f"threat={threat!r}: expected one radius that is a number; attack once for each")
    return float(threat.eps)


def required(key: Any) -> Any:
    """Return the key of an attack that draws random numbers, or refuse None.

    Raises:
      ValueError: no key.
    """
    return checked_key("key", key) if key is None else key


def generators(key: Any, count: int) -> list[np.random.Generator]:
    """One NumPy generator an image, seeded from `fold_in(key, i)`.

    Raises:
      ValueError: no single key.

    Example:
      >>> a, b = generators(jax.random.key(0), 2)
      >>> a.random() == generators(jax.random.key(0), 1)[0].random() != b.random()
      True
    """
    seeds = np.asarray(jax.random.key_data(checks.keys(key, count)))
    return [np.random.default_rng(seed) for seed in seeds]


def _checked(images: Any, labels: Any, targets: Any) -> tuple[np.ndarray, Goal]:
    """The images and the goal as NumPy arrays; how many classes there are, the first call tells."""
    if not checks.is_concrete(images):
        raise ValueError(
            "images are traced: this attack calls its function with NumPy arrays; use it outside jit, grad and vmap"
        )
    array = np.asarray(checks.as_images(images))
    classes = checks.as_labels(labels, None, len(array))
    if targets is not None:
        classes = checks.as_labels(targets, None, len(array), "targets")
    fields: Any = np.asarray(classes), np.full(len(array), 1.0 if targets is None else -1.0)  # NumPy's, not JAX's
    return array, Goal(*fields)


@dataclasses.dataclass
class _Case:
    """One image: its plan, what the plan asks, and how much of it is answered."""

    number: int
    plan: Plan
    queries: int = 0
    request: np.ndarray = dataclasses.field(default_factory=lambda: NOTHING)
    margins: np.ndarray = dataclasses.field(default_factory=lambda: NOTHING)
    result: Any = None

    def start(self) -> "_Case":
        self.request = next(self.plan)
        return self

    def receive(self, margins: np.ndarray) -> None:
        self.queries += len(margins)
        self.margins = np.concatenate([self.margins, margins])
        if len(self.margins) == len(self.request):
            try:
                self.request, self.margins = self.plan.send(self.margins), NOTHING
            except StopIteration as stop:
                self.result = stop.value

    @property
    def open(self) -> np.ndarray:
        return self.request[len(self.margins) :]


class _Asker(NamedTuple):
    """The function, called on parts of what cases ask, and its answers as margins."""

    function: Callable
    read: Reader
    goal: Goal
    dtype: Any
    batch_size: int | None

    def __call__(self, cases: list[_Case], parts: list[np.ndarray]) -> list[np.ndarray]:
        counts = [len(part) for part in parts]
        rows = np.repeat([case.number for case in cases], counts)
        size = self.batch_size or len(rows)
        fill = np.minimum(np.arange(size), len(rows) - 1)
        outputs = self.function(np.concatenate(parts).astype(self.dtype)[fill])
        margins = self.read(outputs, jax.tree.map(lambda leaf: leaf[rows[fill]], self.goal))[: len(rows)]
        wrong = np.flatnonzero(np.isnan(margins))
        if wrong.size:
            place = int(np.searchsorted(np.cumsum(counts), wrong[0], side="right"))
            query = cases[place].queries + 1 + wrong[0] - sum(counts[:place])
            raise ValueError(f"predict gave scores that are not finite for query {query} of image {rows[wrong[0]]}")
        return np.split(margins, np.cumsum(counts)[:-1])


def _finish(cases: Iterator[_Case], ask: _Asker, batch_size: int | None) -> None:
    """Resume the plans, call by call, until all have returned."""
    live: list[_Case] = []
    while True:
        while batch_size is None or sum(len(case.open) for case in live) < batch_size:
            case = next(cases, None)
            if case is None:
                break
            live.append(case.start())
        if not live:
            return
        room = batch_size or sum(len(case.open) for case in live)
        asked, parts = [], []
        for case in live:
            part = case.open[:room]
            if len(part):
                asked.append(case)
                parts.append(part)
                room -= len(part)
        if not parts:
            raise ValueError(f"the plan of image {live[0].number} asked about no image")
        for case, margins in zip(asked, ask(asked, parts), strict=True):
            case.receive(margins)
        live = [case for case in live if case.result is None]

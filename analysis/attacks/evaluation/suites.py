"""Suites: the attacks of an evaluation in their order, as data."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from analysis.attacks.auto_projected_gradient import RIVALS
from analysis.attacks.evaluation.victim import Victim
from analysis.attacks.methods import METHODS, Method
from analysis.attacks.queries import Queried
from analysis.attacks.threat import NORMS, Threat
from convzoo.checks import choice

NAMES: dict[type[Threat], str] = {ball: name for name, ball in NORMS.items()}
"""Of norms, by their threats."""


class Step(NamedTuple):
    """An attack of a suite.

    Attributes:
      label: in tables and pictures.
      function: of `analysis.attacks`, or of the user: `(logits_fn, images, labels, threat, ...) -> images`.
      settings: its arguments.
      classes: the least number of classes it works with.
      rivals: run it once for each of so many of the likeliest other classes as `targets`; 0: once, without targets.
      norms: threats in which it works.
    """

    label: str
    function: Callable
    settings: Mapping[str, Any] = {}
    classes: int = 2
    rivals: int = 0
    norms: tuple[str, ...] = ("linf", "l2", "l1")

    @property
    def method(self) -> Method:
        """The row of the attack in the table of all; a function of the user is bounded and takes gradients."""
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        rows = (row for row in METHODS.values() if row.function is function)
        return next(rows, Method(function, self.label, "bounded", "gradients"))

    @property
    def minimal(self) -> bool:
        """Whether it looks for the nearest image, which serves all radii."""
        return self.method.kind == "minimal"

    @property
    def asks(self) -> bool:
        """Whether it only calls the classifier."""
        return self.method.needs != "gradients"

    def run(
        self, victim: Victim, images: np.ndarray, labels: np.ndarray, threat: Threat, keys: jax.Array, targets: Any
    ) -> Queried:
        """Attack images; gradient attacks report no queries, which are then 0."""
        takes = inspect.signature(self.function).parameters
        function: Any = victim.predict if self.asks else victim.logits_fn
        offers = {"key": keys, "batch_size": victim.size(len(images)), "norm": NAMES.get(type(threat))}
        if targets is not None:
            offers["targets"] = targets
        if "samples" in takes and victim.randomness == "key" and victim.samples > 1:
            function, offers["samples"] = victim.function, victim.samples
        arguments = [function, images, labels, *([] if self.minimal else [threat])]
        settings = {name: value for name, value in offers.items() if name in takes} | dict(self.settings)
        outcome = self.function(*arguments, **settings)
        if isinstance(outcome, Queried):
            return outcome
        return Queried(np.asarray(outcome), np.zeros(len(images), int))


def _step(label: str, name: str, **fields: Any) -> Step:
    return Step(label, METHODS[name].function, **fields)


_SQUARE = _step("Square", "square", settings={"queries": 5000}, norms=("linf", "l2"))

SUITES: dict[str, tuple[Step, ...]] = {
    "quick": (
        _step("APGD-CE", "apgd", settings={"steps": 50}),
        _step("APGD-DLR", "apgd", settings={"steps": 50, "loss": "dlr"}, classes=3),
    ),
    "standard": (
        _step("APGD-CE", "apgd", settings={"steps": 100}),
        _step("APGD-DLR targeted", "apgd", settings={"steps": 100, "loss": "dlr-targeted"}, classes=4, rivals=RIVALS),
        _step("FAB targeted", "fab", settings={"steps": 100}, rivals=RIVALS),
        _SQUARE,
    ),
    "minimal": (
        _step("FMN", "fmn", settings={"steps": 100}),
        _step("DDN", "ddn", settings={"steps": 100}, norms=("l2",)),
        _step("DeepFool", "deepfool", settings={"steps": 50}, norms=("linf", "l2")),
        _step("FAB", "fab", settings={"steps": 100}),
        _step("Carlini-Wagner", "carlini_wagner", settings={"steps": 100, "searches": 6}, norms=("l2",)),
    ),
}
"""`"quick"` for every day, `"standard"` for a claim of robustness, `"minimal"` for distances."""

RANDOM = (
    _step("PGD over draws", "pgd", settings={"steps": 100}),
    _step("PGD over draws, margin", "pgd", settings={"steps": 100, "loss": "margin"}),
    _SQUARE,
)
"""In place of a named suite where the classifier draws from a key: gradients are means over draws."""


def steps_of(suite: Any, victim: Victim, threat: Threat) -> tuple[Step, ...]:
    """The attacks of a suite that work for a classifier and a threat.

    Args:
      suite: a name of `SUITES`; {label: function of (logits_fn, images, labels, threat)}, which may also take `key`
        and `batch_size`; or a tuple of `Step`.
      victim: the classifier.
      threat: the ball.

    Raises:
      ValueError: an unknown name, or a suite without attacks for this threat.
    """
    if not isinstance(suite, str):
        steps = tuple(Step(*item) for item in suite.items()) if isinstance(suite, Mapping) else suite
        right = isinstance(steps, tuple) and all(isinstance(step, Step) and callable(step.function) for step in steps)
        if not steps or not right:
            raise ValueError(f"suite={suite!r}: expected a name, {{label: attack}}, or a tuple of Step")
        return steps
    choice("suite", suite, SUITES)
    named = RANDOM if victim.randomness == "key" else SUITES[suite]
    steps = tuple(step for step in named if _suits(step, threat) and victim.classes >= step.classes)
    if not steps:
        raise ValueError(f"suite={suite!r} has no attack for threat={threat!r}: expected Linf, L2 or L1")
    return steps


def left_out(suite: Any, victim: Victim, threat: Threat) -> str:
    """The attacks of a named suite that need more classes than there are, joined by commas."""
    if not isinstance(suite, str) or victim.randomness == "key":
        return ""
    few = (step for step in SUITES[suite] if _suits(step, threat) and victim.classes < step.classes)
    return ", ".join(f"{step.label} ({step.classes})" for step in few)


def _suits(step: Step, threat: Threat) -> bool:
    return NAMES.get(type(threat)) in step.norms

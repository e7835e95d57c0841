"""Pitfalls: reasons for which a robust accuracy may be too good, each with its test and its sentence.

References: Athalye et al., 2018, arXiv:1802.00420; Carlini et al., 2019, arXiv:1902.06705; Croce et al., 2022,
arXiv:2202.13711.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis.attacks.batch_dependence import depends_on_batch
from analysis.attacks.evaluation.victim import Victim
from analysis.attacks.goal import Goal
from analysis.attacks.projected_gradient import pgd
from analysis.attacks.threat import L2, Linf, Threat

PROBES = 64
"""Images of a probe."""
COMPARED = 4
"""Images that are classified alone and beside others."""
FEW = 0.02
"""Share of images, and at least two, from which on a success that should not be is reported."""


class Pitfall(NamedTuple):
    """A reason to doubt a robust accuracy.

    Attributes:
      name: short and stable, for programs.
      message: a sentence with the measurement.
    """

    name: str
    message: str


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """Measurements before the attacks, on a few images that are classified correctly.

    Attributes:
      randomness: of the classifier.
      samples: draws of a random classifier.
      neighbours: whether logits depend on the other images of the batch.
      probabilities: whether outputs are probabilities.
      zero: share of images whose gradient is zero everywhere.
      broken: share of images whose gradient is not finite.
      error: of a gradient that cannot be computed; empty: none.
      losses: mean loss of a short attack at ε and at 2ε; empty without gradients.
      unbounded: share of images that a short attack without a bound leaves; 0 without gradients.
    """

    randomness: str
    samples: int
    neighbours: bool
    probabilities: bool
    zero: float = 0.0
    broken: float = 0.0
    error: str = ""
    losses: tuple[float, ...] = ()
    unbounded: float = 0.0


def probe(victim: Victim, images: np.ndarray, labels: np.ndarray, threat: Threat, keys: jax.Array) -> Probe:
    """Measure what tells a classifier apart from one that gradient attacks can trust.

    Args:
      victim: the classifier.
      images: (N, H, W, C), of which the first `PROBES` are used.
      labels: (N,) their classes.
      threat: the largest ball.
      keys: (N,).
    """
    images, labels, keys = images[:PROBES], labels[:PROBES], keys[:PROBES]
    outputs = victim.predict(images)
    sums = np.abs(outputs.astype(np.float64).sum(1) - 1)
    facts: dict[str, Any] = {
        "randomness": victim.randomness,
        "samples": victim.samples,
        "neighbours": victim.randomness == "none" and depends_on_batch(victim.predict, images[:COMPARED]),
        "probabilities": bool(outputs.min() >= 0 and outputs.max() <= 1 and sums.max() < 0.01),
    }
    goal = Goal(jnp.asarray(labels, jnp.int32), jnp.ones(len(labels), jnp.float32))
    try:
        slopes = np.asarray(_slopes(victim.logits_fn, jnp.asarray(images), goal))
    except Exception as error:  # Functions that JAX cannot differentiate raise errors of every kind.
        return Probe(**facts, error=str(error).strip().split("\n")[0])
    rows = slopes.reshape(len(slopes), -1)
    finite = np.isfinite(rows).all(1)
    zero = (rows == 0).all(1) & finite
    attack = lambda eps: pgd(  # noqa: E731
        victim.logits_fn, images, labels, type(threat)(eps), steps=20, key=keys, batch_size=victim.size(len(images))
    )
    ends = [attack(eps * threat.eps) for eps in (1.0, 2.0)]
    losses = [float(np.mean(np.asarray(_loss(victim.logits_fn, jnp.asarray(end), goal)))) for end in ends]
    everywhere = attack(1.0 if isinstance(threat, Linf) else _diameter(threat, images.shape[1:]))
    return Probe(
        **facts,
        zero=float(zero.mean()),
        broken=float(1 - finite.mean()),
        losses=tuple(losses),
        unbounded=float(1 - victim.wrong(everywhere, labels).mean()),
    )


def _diameter(threat: Threat, shape: tuple[int, ...]) -> float:
    """The radius of a ball around any image that holds all of [0, 1]."""
    size = float(np.prod(shape))
    return size**0.5 if isinstance(threat, L2) else size


@jax.jit
def _slopes(logits_fn, images, goal):
    return jax.grad(lambda images: goal.loss(logits_fn(images)).sum())(images)


@jax.jit
def _loss(logits_fn, images, goal):
    return goal.loss(logits_fn(images))


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """Measurements after the attacks, at the largest radius.

    Attributes:
      count: images.
      asked: images that only an attack without gradients broke.
      longer: images of `survivors` that twice the steps broke.
      survivors: images tried with twice the steps.
      lost: successes that the recount did not confirm.
      left_out: labels of attacks that need more classes, joined by commas.
    """

    count: int
    asked: int = 0
    longer: int = 0
    survivors: int = 0
    lost: int = 0
    left_out: str = ""


def many(cases: int, count: int) -> bool:
    """Whether cases are more than chance leaves: two, and `FEW` of all."""
    return cases >= 2 and cases > FEW * count


class Test(NamedTuple):
    """A test for a pitfall.

    Attributes:
      applies: of the measurements before and after the attacks.
      sentence: of its message, a format of `probe` and `outcome`.
    """

    applies: Callable[[Probe, Outcome], bool]
    sentence: str


SOURCES = {
    "key": "draws from a key",
    "trace": "draws random numbers of NumPy while it is traced",
    "call": "answers the same images differently from call to call",
}
"""Of randomness, in a sentence."""

TESTS: dict[str, Test] = {
    "random": Test(
        lambda probe, outcome: probe.randomness in SOURCES,
        "the classifier {source}: gradients are means over {probe.samples} draws, and an image counts as "
        "misclassified where most of {probe.samples} draws are wrong",
    ),
    "batch": Test(
        lambda probe, outcome: probe.neighbours,
        "logits depend on the other images of the batch (batch normalization in training mode?): an image alone is "
        "classified differently, and attacks follow gradients that nobody else sees",
    ),
    "probabilities": Test(
        lambda probe, outcome: probe.probabilities,
        "outputs are probabilities, whose gradients vanish where the classifier is confident: pass logits, from "
        "before the softmax",
    ),
    "not differentiable": Test(
        lambda probe, outcome: bool(probe.error),
        "the gradient cannot be computed ({probe.error}): only attacks without gradients were run",
    ),
    "zero gradients": Test(
        lambda probe, outcome: probe.zero > FEW,
        "the gradient is zero everywhere for {probe.zero:.0%} of the images (rounding, saturation?): gradient attacks "
        "cannot start there, and an attack on a smooth copy of the classifier may succeed",
    ),
    "gradients that are not finite": Test(
        lambda probe, outcome: probe.broken > 0,
        "the gradient is not finite for {probe.broken:.0%} of the images",
    ),
    "a larger radius does not help": Test(
        lambda probe, outcome: bool(probe.losses) and not probe.losses[1] > probe.losses[0],
        "twice the radius does not raise the loss of PGD ({probe.losses[0]:.3g}, {probe.losses[1]:.3g})",
    ),
    "an unbounded attack fails": Test(
        lambda probe, outcome: probe.unbounded > FEW,
        "{probe.unbounded:.0%} of the images resist PGD without a bound, which no classifier should: gradients do "
        "not lead to other classes",
    ),
    "black box beats white box": Test(
        lambda probe, outcome: many(outcome.asked, outcome.count),
        "an attack without gradients broke {outcome.asked} of {outcome.count} images that all gradient attacks had "
        "left: the gradients are masked",
    ),
    "not converged": Test(
        lambda probe, outcome: many(outcome.longer, outcome.survivors),
        "twice the steps break {outcome.longer} of {outcome.survivors} images that the suite left: run longer attacks",
    ),
    "recount": Test(
        lambda probe, outcome: outcome.lost > 0,
        "{outcome.lost} successes were not confirmed by calling the classifier again, and do not count",
    ),
    "few classes": Test(
        lambda probe, outcome: bool(outcome.left_out),
        "left out, because they need more classes: {outcome.left_out}",
    ),
}
"""By name, in the order of the report."""


def pitfalls(probe: Probe, outcome: Outcome) -> tuple[Pitfall, ...]:
    """The pitfalls that apply, in the order of `TESTS`.

    Example:
      >>> [one.name for one in pitfalls(Probe("none", 1, False, True), Outcome(100, asked=5))]
      ['probabilities', 'black box beats white box']
    """
    source = SOURCES.get(probe.randomness, "")
    return tuple(
        Pitfall(name, test.sentence.format(probe=probe, outcome=outcome, source=source))
        for name, test in TESTS.items()
        if test.applies(probe, outcome)
    )

"""Evaluation of a classifier: a suite of attacks on those images that are left, several radii at once."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks
from analysis.attacks.auto_projected_gradient import apgd
from analysis.attacks.evaluation import linearized, pitfalls
from analysis.attacks.evaluation.evaluations import CLEAN, Evaluation
from analysis.attacks.evaluation.records import Record, settings_of
from analysis.attacks.evaluation.suites import NAMES, Step, left_out, steps_of
from analysis.attacks.evaluation.victim import Victim
from analysis.attacks.queries import Queried
from analysis.attacks.threat import L1, L2, Linf, Threat
from convzoo.checks import integer

BATCH = 128
COPIED = 16
"""Images on whose linearized copies attacks are measured."""
LONGER = 200
"""Steps of the attack that looks for more on what the suite has left."""
ORDERS = {Linf: np.inf, L2: 2, L1: 1}


def evaluate(
    logits_fn: Callable,
    images: Any,
    labels: Any,
    threat: Threat | Sequence[Threat],
    suite: Any = "standard",
    key: jax.Array | None = None,
    batch_size: int = BATCH,
    samples: int = 8,
    path: str | Path | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure robust accuracy with a suite of attacks, and look for reasons not to believe it.

    Attacks run in the order of the suite on the images that those before have left, at each radius from the smallest
    on; what breaks an image within one radius breaks it within all larger ones, and an attack for the nearest image
    runs once for all radii. Every success is confirmed by calling the classifier on the final image.

    A robust accuracy is an upper bound: that the suite fails does not show that no adversarial image exists. The
    warnings name defects of the classifier or of the evaluation that are known to hide them.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits; a random classifier takes a key as well. Random
        classifiers are recognised, and attacked by gradients that are means over draws.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)`, `attacks.L2(eps)` or `attacks.L1(eps)`, or several of one norm.
      suite: `"standard"` (APGD on cross-entropy, targeted APGD on DLR, targeted FAB, Square with 5,000 queries: the
        attacks of AutoAttack), `"quick"` (APGD on both losses), `"minimal"` (nearest images); {label: attack}, an
        attack being a function of (logits_fn, images, labels, threat) and, if it likes, `key` and `batch_size`; or
        a tuple of `attacks.evaluation.Step`.
      key: from `jax.random.key`; image i uses `fold_in(key, i)`.
      batch_size: images held at once.
      samples: draws of a random classifier for each gradient and each verdict.
      path: of a file that keeps what is done; the same call goes on from there. None: nothing is kept.
      log: called with a line before each attack.

    Returns:
      An `Evaluation`; printed, it is a table with remarks.

    Raises:
      ValueError: images, labels, threats, suite or numbers that are not of the above, no key, or a file of another
        evaluation.

    Example:
      >>> import jax.numpy as jnp
      >>> from analysis import attacks
      >>> images, labels = jnp.linspace(0.25, 0.75, 4).reshape(4, 1, 1, 1), [0, 0, 0, 0]
      >>> linear = lambda images: (images[:, 0, 0] - 0.4) @ jnp.array([[4.0, -4.0]])
      >>> suite = {"PGD": attacks.pgd}
      >>> report = evaluate(linear, images, labels, attacks.Linf(0.1), suite, key=jax.random.key(0))
      >>> report.clean, report.worst
      (0.75, 0.5)
    """
    threats = _threats(threat)
    integer("batch_size", batch_size)
    integer("samples", samples)
    array = np.asarray(checks.as_images(images))
    victim = Victim.of(logits_fn, array, samples, min(batch_size, len(array)), key)
    case = Case(victim, array, np.asarray(checks.as_labels(labels, victim.classes, len(array))), threats[-1])
    steps = steps_of(suite, victim, threats[-1])
    logits = victim.predict(array)
    numbers = {"batch_size": batch_size, "samples": samples}
    settings = settings_of(logits_fn, array, case.labels, logits[:COPIED], threats, steps, key, **numbers)
    correct = ~victim.wrong(array, case.labels)
    record = Record.begin(array, correct, [float(ball.eps) for ball in threats], steps).resumed(path, settings)
    keys = checks.keys(key, len(array))
    before = _probe(case, correct, keys)
    rivals = _rivals(logits, case.labels)
    for level, ball in enumerate(threats):
        for index, step in enumerate(steps):
            left = record.live(level) & ~(step.minimal & record.tried[index].any(0))
            if record.done[level, index] or not left.any() or (before.error and not step.asks):
                continue
            log(f"{step.label} on {left.sum()} images, {ball}")
            start = time.monotonic()
            number = level * len(steps) + index
            _attack(case.at(number, ball), step, index, level, record, keys, rivals)
            record.seconds[index] += time.monotonic() - start
            record.done[level, index] = True
            record.save(path, settings)
    after = _outcome(case, steps, record, keys, before, left_out(suite, victim, threats[-1]))
    return record.evaluation(
        norm=NAMES.get(type(threats[0]), type(threats[0]).__name__),
        warnings=pitfalls.pitfalls(before, after),
        shortfalls={} if before.error or victim.randomness != "none" else _shortfalls(case, steps, correct, keys),
        settings=settings,
    )


class Case(NamedTuple):
    """A classifier, images with their labels, and a ball."""

    victim: Victim
    images: np.ndarray
    labels: np.ndarray
    threat: Threat

    def at(self, number: int, threat: Threat) -> "Case":
        """The same for one attack in one ball."""
        return self._replace(victim=self.victim.at(number), threat=threat)

    def attacked(self, step: Step, rows: np.ndarray, keys: jax.Array, targets: Any = None) -> Queried:
        """The outcome of an attack on some of the images."""
        return step.run(self.victim, self.images[rows], self.labels[rows], self.threat, keys[rows], targets)

    def lengths(self, changed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(M,) float64 distances of changed images from the images of these rows."""
        change = np.asarray(changed, np.float64) - np.asarray(self.images[rows], np.float64)
        order = ORDERS.get(type(self.threat))
        if order is None:
            return np.asarray(jax.vmap(self.threat.norm)(jnp.asarray(change, jnp.float32)), np.float64)
        return np.linalg.norm(change.reshape(len(change), -1), order, axis=1)


def _threats(threat: Any) -> list[Threat]:
    threats = [threat] if isinstance(threat, Threat) else list(threat) if isinstance(threat, Sequence) else []
    if not threats or not all(isinstance(ball, Threat) for ball in threats):
        raise ValueError(f"threat={threat!r}: expected a threat model, such as attacks.Linf(8 / 255), or several")
    if len({type(ball) for ball in threats}) > 1:
        raise ValueError(f"threat={threat!r}: expected one norm; evaluate once for each")
    return sorted(threats, key=lambda ball: float(ball.eps))


def _probe(case: Case, correct: np.ndarray, keys: jax.Array) -> pitfalls.Probe:
    rows = np.flatnonzero(correct if correct.any() else ~correct)[: pitfalls.PROBES]
    return pitfalls.probe(case.victim, case.images[rows], case.labels[rows], case.threat, keys[rows])


def _rivals(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N, classes − 1) the other classes, the likeliest first."""
    others = logits.astype(np.float64)
    others[np.arange(len(labels)), labels] = -np.inf
    return np.argsort(-others, axis=1, kind="stable")[:, :-1].astype(np.int32)


def _attack(
    case: Case, step: Step, index: int, level: int, record: Record, keys: jax.Array, rivals: np.ndarray
) -> None:
    """Run an attack on what is left, once for each of its rival classes, and note what it breaks."""
    for rank in range(min(step.rivals, rivals.shape[1]) or 1):
        live = record.live(level)
        if step.minimal:
            live &= ~record.tried[index, rank]
            record.tried[index, rank] |= live
        rows = np.flatnonzero(live)
        if rows.size:
            outcome = case.attacked(step, rows, keys, rivals[rows, rank] if step.rivals else None)
            wrong = case.victim.wrong(outcome.images, case.labels[rows])
            record.note(index, rows, outcome, wrong, case.lengths(outcome.images, rows))


def _outcome(
    case: Case, steps: Sequence[Step], record: Record, keys: jax.Array, before: pitfalls.Probe, few: str
) -> pitfalls.Outcome:
    """Recount the successes, and try whether longer attacks win more."""
    broken = np.flatnonzero(record.attack >= 0)
    confirmed = case.victim.wrong(record.images, case.labels)[broken]
    record.withdraw(broken[~confirmed], case.images)
    asking = np.array([step.asks for step in steps])
    gradients = not before.error and not asking.all()
    rows = np.flatnonzero(record.live(len(record.radii) - 1))[: pitfalls.PROBES]
    longer = 0
    if gradients and rows.size:
        fresh = jax.vmap(jax.random.fold_in, (0, None))(keys, 1)
        outcome = case.attacked(Step("longer", apgd, {"steps": LONGER}), rows, fresh)
        longer = int(case.victim.wrong(outcome.images, case.labels[rows]).sum())
    return pitfalls.Outcome(
        count=int((record.attack != CLEAN).sum()),
        asked=int(asking[record.attack[record.attack >= 0]].sum()) if gradients else 0,
        longer=longer,
        survivors=len(rows),
        lost=int((~confirmed).sum()),
        left_out=few,
    )


def _shortfalls(case: Case, steps: Sequence[Step], correct: np.ndarray, keys: jax.Array) -> dict[str, float]:
    """The shortfall of each gradient attack within a ball, on the linearized classifier.

    Attacks on a ratio of logits are left out: its largest value lies elsewhere than that of the margin.
    """
    rows = np.flatnonzero(correct)[:COPIED]
    if not rows.size or not isinstance(case.threat, linearized.KNOWN):
        return {}
    copy = linearized.linearized(case.victim.logits_fn, jnp.asarray(case.images[rows]), jnp.asarray(case.labels[rows]))

    def attack(step, logits_fn, images, labels, threat):
        victim = dataclasses.replace(case.victim, logits_fn=logits_fn, batch_size=len(rows))
        return step.run(victim, np.asarray(images), labels, threat, keys[rows], None).images

    bounded = (
        step for step in steps if not (step.minimal or step.asks or step.settings.get("loss", "ce").startswith("dlr"))
    )
    return {step.label: linearized.shortfall(functools.partial(attack, step), copy, case.threat) for step in bounded}

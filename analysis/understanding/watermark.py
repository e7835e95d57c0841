"""The watermark experiment: networks that did or did not learn from a mark that betrays the class, told by their maps.

result = experiment(epochs=4).run(lab, seeds=(0, 1, 2))
"""

import functools
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from analysis import execution
from analysis.network import Network
from analysis.understanding import watermark_tables as tables
from analysis.understanding.experiment import Claim, Experiment, Lab, Result, Split, verdict
from analysis.understanding.watermark_study import study
from analysis.understanding.watermark_tables import Trial
from convzoo.checks import integer

SIDE = 32
"""Height and width of the scenes in pixels."""
MARKS = {"watermarked": "class", "honest": "none", "remedied": "shuffled"}
"""The mark in the training images of each network: a number that tells the class, none, or a number drawn blindly."""
EPSILON = 8 / 255
PREDICTS = 0.6
"""AUC from which contrast is said to predict an attack; no connection gives 0.5."""
UNHARMED = 0.05
"""Accuracy that a change of the mark may cost a network that does not read it."""

CLAIM = """Importance on the object against importance on a watermark tells a network that memorised the watermark from
an honest one; the verdict agrees across data sets; it predicts which attacks succeed; and there is a remedy."""

PROTOCOL = """Each net was trained on the same scenes: **watermarked** with a number in the corner that betrays the
class, **honest** without it, **remedied** with numbers that say nothing of the class. All are examined on the same
{count} test images, object and betraying number in each. Whatever a net's accuracy there, its maps show what it reads.

*Contrast* compares a pixel of the mark with a pixel of the object: (m − o) / (m + o) of their mean importance, +1 where
all of it is on the mark and −1 where all is on the object; in the first table the median over methods of their means. A
net is called *memorised* when most methods find it above zero. *Occlusion, …*: the contrast of occlusion alone, on the
same objects with another mark, for the class that is predicted there. *Prediction*: whether the contrast of occlusion
says which images PGD (L∞, 20 steps) will turn: the chance that a turned image has more of it than one that stands (0.5:
no connection), and its rank correlation with the margin that is left (0: no connection; below zero: the more mark, the
weaker)."""

CAPTION = """Maps of the first test images by method and net. Each map has a scale of its own. Signed ones: orange for
the class, blue against it; the others: from dark to bright."""


def experiment(model: str = "gap_net", epochs: int = 4, images: int = 30) -> Experiment:
    """The experiment with networks of one kind.

    Args:
      model: a catalogued name, with global average pooling before the head.
      epochs: of training each network.
      images: test images examined.

    Raises:
      ValueError: a number that is not positive.
    """
    integer("epochs", epochs)
    integer("images", images)
    return Experiment(
        "watermark",
        "The watermark experiment",
        CLAIM,
        PROTOCOL.format(count=images),
        functools.partial(_run, model, epochs, images),
    )


def _run(model: str, epochs: int, images: int, lab: Lab, seeds: Sequence[int]) -> Result:
    names = {mark: "scenes" if mark == "none" else f"scenes:{mark}" for mark in MARKS.values()}
    # No augmentation: shifted images would cut the mark off.
    settings = {"epochs": epochs, "size": SIDE, "augment": ()}
    trained = {
        seed: {name: lab.fit(name, model, names[mark], seed=seed, **settings) for name, mark in MARKS.items()}
        for seed in seeds
    }
    tests = {mark: lab.load(name, SIDE).test for mark, name in names.items()}
    marked, plain = tests["class"], tests["none"]
    chosen = np.flatnonzero(marked.extra["mask"].any((1, 2)))[:images]
    trials = []
    for seed, networks in trained.items():
        findings = study(
            networks,
            marked.images[chosen],
            marked.labels[chosen],
            marked.extra["mask"][chosen],
            (marked.images != plain.images).any((0, 3)),
            jax.random.key(seed),
            {"mark shuffled": tests["shuffled"].images[chosen]},
            epsilon=EPSILON,
            log=lab.log,
        )
        accuracies = {name: _accuracies(network, tests) for name, network in networks.items()}
        trials.append(Trial(seed, accuracies, findings))
    return result(trials, marked.images[chosen])


def _accuracies(network: Network, tests: Mapping[str, Split]) -> dict[str, float]:
    def accuracy(test: Split) -> float:
        logits_fn = functools.partial(execution.call, network.logits_fn)
        return float(np.mean(np.argmax(execution.in_batches(logits_fn, 100, test.images), 1) == test.labels))

    return {f"mark {mark}": accuracy(test) for mark, test in tests.items()}


def result(trials: Sequence[Trial], images: np.ndarray) -> Result:
    """Claims, tables and picture of the examined networks.

    Args:
      trials: one a seed; of the networks, the memorising one first, then the honest one, then the remedied one.
      images: (N, H, W, C) on which they were examined.
    """
    return Result(
        seeds=tuple(trial.seed for trial in trials),
        claims=claims(trials),
        table=tables.networks(trials, EPSILON),
        picture=tables.picture(trials[0].findings, images),
        caption=CAPTION,
        details=tables.details(trials),
    )


def claims(trials: Sequence[Trial]) -> tuple[Claim, ...]:
    """The claims with their verdicts; the last one only where there is a third network, the remedied one."""
    remedy = [_remedy] if len(trials[0].findings) > 2 else []
    return tuple(claim(trials) for claim in (_told, _elsewhere, _attacks, *remedy))


def _told(trials: Sequence[Trial]) -> Claim:
    first, second, *_ = trials[0].findings
    auc = tables.separations(trials)
    worst = min(auc, key=lambda method: auc[method].min())
    apart = sum((values > 0.5).all() for values in auc.values())
    right = [
        trial.findings[first].verdict.memorised and not trial.findings[second].verdict.memorised for trial in trials
    ]
    return Claim(
        "Maps tell a network that reads the watermark from one that reads the object.",
        f"The verdicts are right for {sum(right)} of {len(right)} seeds; {apart} of {len(auc)} methods tell {first} "
        f"from {second} better than chance with every seed, the worst ({worst}) with an AUC of {auc[worst].min():.3f}.",
        verdict([*right, apart == len(auc)]),
    )


def _elsewhere(trials: Sequence[Trial]) -> Claim:
    agree = [
        (contrast > 0) == one.verdict.memorised
        for trial in trials
        for one in trial.findings.values()
        for contrast in one.elsewhere.values()
    ]
    return Claim(
        "The verdict agrees across data sets.",
        f"On the same objects with another mark, occlusion alone gives the same verdict in {sum(agree)} of "
        f"{len(agree)} cases.",
        verdict(agree),
    )


def _attacks(trials: Sequence[Trial]) -> Claim:
    chances = [one.prediction[0] for trial in trials for one in trial.findings.values()]
    defined = [chance for chance in chances if not np.isnan(chance)]
    spread = f"from {min(defined):.3f} to {max(defined):.3f}" if defined else "undefined"
    return Claim(
        "Importance on the mark predicts which attacks succeed.",
        f"The AUC of the prediction is {spread} over networks and seeds; it is {PREDICTS} or more in "
        f"{sum(chance >= PREDICTS for chance in defined)} of {len(chances)} cases.",
        verdict(chance >= PREDICTS for chance in chances),
    )


def _remedy(trials: Sequence[Trial]) -> Claim:
    *_, name = trials[0].findings
    losses = [max(trial.accuracy[name].values()) - min(trial.accuracy[name].values()) for trial in trials]
    cured = [not trial.findings[name].verdict.memorised for trial in trials]
    return Claim(
        "Marks drawn independently of the class are a remedy.",
        f"The {name} network is called honest with {sum(cured)} of {len(cured)} seeds, and the kind of mark changes "
        f"its accuracy by at most {100 * max(losses):.1f} percentage points.",
        verdict(honest and loss <= UNHARMED for honest, loss in zip(cured, losses, strict=True)),
    )


EXPERIMENT = experiment()

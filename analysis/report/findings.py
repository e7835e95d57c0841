"""What a report shows, measured: predictions, maps and accuracy under attack."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import attacks, execution
from analysis.report.depth import Depth, dig
from analysis.report.maps import Explorer, Maps, explain, explore, first_of_each_class
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Fooled:
    """Adversarial examples at one bound.

    Attributes:
      indices: (M,) which test images.
      epsilon: the bound, as a fraction of the pixel range.
      images: (M, H, W, C), attacked by PGD.
      probabilities: (M, K), the softmax of their logits.
    """

    indices: np.ndarray
    epsilon: float
    images: np.ndarray
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """Everything the page shows of a subject that is not given.

    Attributes:
      settings: what it was measured with.
      probabilities: (N, K), the softmax of the test images' logits.
      confusion: (K, K) counts; row: the truth, column: the prediction.
      hardest: indices of test images, the least probable true class first.
      explained: indices of test images, the first of as many classes as possible.
      maps: of the explained images, for the logit of their true class.
      explorer: maps by many methods and layers.
      depth: what units like and what layers keep; None: the model cannot be looked into.
      accuracies: name of each attack and its accuracy at each of `settings.epsilons`.
      fooled: adversarial examples at the smallest bound that halves PGD's accuracy, else at the largest;
        None: no image was classified correctly.
    """

    settings: Settings
    probabilities: np.ndarray
    confusion: np.ndarray
    hardest: np.ndarray
    explained: np.ndarray
    maps: tuple[Maps, ...]
    explorer: Explorer
    depth: Depth | None
    accuracies: dict[str, np.ndarray]
    fooled: Fooled | None

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the most probable class of each test image."""
        return self.probabilities.argmax(-1)

    @property
    def accuracy(self) -> float:
        """Share of test images classified correctly."""
        return float(np.trace(self.confusion) / self.confusion.sum())


def examine(subject: Subject, settings: Settings, log: Callable[[str], None] = print) -> Findings:
    """Measure what a report shows.

    Args:
      subject: the classifier and its test images.
      settings: how much is examined.
      log: told what is being done, a line at a time.

    Returns:
      The `Findings`; equal for equal arguments.
    """
    labels = np.asarray(subject.labels, np.int32)
    log(f"classifying {len(labels)} test images")
    probabilities = _probabilities(subject, settings, subject.images)
    confusion = np.zeros((len(subject.classes),) * 2, np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(-1)), 1)
    explained = first_of_each_class(labels, np.arange(len(labels)), settings.explained)
    hardest = np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")
    accuracies, fooled = _attack(subject, settings, probabilities, log)
    return Findings(
        settings=settings,
        probabilities=probabilities,
        confusion=confusion,
        hardest=hardest[: settings.hardest],
        explained=explained,
        maps=tuple(explain(subject, explained, log)),
        explorer=explore(subject, settings, probabilities.argmax(-1), hardest, log),
        depth=dig(subject, settings, log),
        accuracies=accuracies,
        fooled=fooled,
    )


def _probabilities(subject: Subject, settings: Settings, images: Any) -> np.ndarray:
    logits = functools.partial(execution.call, execution.as_argument(subject.logits_fn))
    return np.asarray(jax.nn.softmax(execution.in_batches(logits, settings.batch_size, images).astype(jnp.float32)))


def _attack(subject: Subject, settings: Settings, clean: np.ndarray, log: Callable[[str], None]):
    images = np.asarray(subject.images[: settings.attacked], np.float32)
    labels = np.asarray(subject.labels, np.int32)[: settings.attacked]
    correct = clean[: settings.attacked].argmax(-1) == labels
    shown = first_of_each_class(labels, np.flatnonzero(correct), settings.fooled)
    accuracies = {name: [float(correct.mean())] for name in ("FGSM", "PGD")}
    fooled: Fooled | None = None
    for epsilon in settings.epsilons[1:]:
        log(f"FGSM and PGD-{settings.steps} on {len(images)} images, ε = {255 * epsilon:g}/255")
        threat, size = attacks.Linf(epsilon), settings.batch_size
        adversarial = {
            "FGSM": attacks.fgsm(subject.logits_fn, images, labels, threat, batch_size=size),
            "PGD": attacks.pgd(
                subject.logits_fn,
                images,
                labels,
                threat,
                steps=settings.steps,
                key=jax.random.key(settings.seed),
                batch_size=size,
            ),
        }
        probabilities = {name: _probabilities(subject, settings, attacked) for name, attacked in adversarial.items()}
        halved = accuracies["PGD"][-1] <= accuracies["PGD"][0] / 2
        for name, values in probabilities.items():
            accuracies[name].append(float((values.argmax(-1) == labels).mean()))
        if len(shown) and not halved:
            fooled = Fooled(shown, epsilon, np.asarray(adversarial["PGD"])[shown], probabilities["PGD"][shown])
    return {name: np.array(values) for name, values in accuracies.items()}, fooled

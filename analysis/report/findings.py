"""What a report shows, measured: predictions, maps and accuracy under attack."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import attacks, drive
from analysis.attribution import occlusion, saliency
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is examined; the defaults take well under a minute for a small network on two cores.

    Attributes:
      explained: images whose maps are shown.
      hardest: images shown for the low probability of their true class.
      attacked: images the robustness curve is measured on, the first of the test set.
      fooled: adversarial examples shown.
      epsilons: bounds on each pixel's change, ascending from 0, as fractions of the pixel range.
      steps: steps of PGD; each is 2.5 ε / steps long.
      batch_size: images held at once.
      seed: of PGD's random starts.

    Raises:
      ValueError: a count that is not positive, or bounds that do not ascend from 0.
    """

    explained: int = 6
    hardest: int = 12
    attacked: int = 100
    fooled: int = 6
    epsilons: tuple[float, ...] = (0.0, *(2**k / 255 for k in range(7)))
    steps: int = 10
    batch_size: int = 50
    seed: int = 0

    def __post_init__(self):
        for name in ("explained", "hardest", "attacked", "fooled", "steps", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected a positive integer")
        if self.epsilons[:1] != (0.0,) or any(np.diff(self.epsilons) <= 0) or self.epsilons[-1] > 1:
            raise ValueError(f"epsilons={self.epsilons}: expected ascending numbers from 0 to at most 1")


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """One method's maps of the explained images.

    Attributes:
      name: of the method.
      unit: what a value measures.
      meaning: the method and its settings in a sentence.
      signed: whether values below zero mean something.
      values: (M, H, W).
    """

    name: str
    unit: str
    meaning: str
    signed: bool
    values: np.ndarray


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
    explained = _first_of_each_class(labels, np.arange(len(labels)), settings.explained)
    accuracies, fooled = _attack(subject, settings, probabilities, log)
    return Findings(
        settings=settings,
        probabilities=probabilities,
        confusion=confusion,
        hardest=np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")[: settings.hardest],
        explained=explained,
        maps=tuple(_explain(subject, explained, log)),
        accuracies=accuracies,
        fooled=fooled,
    )


def _probabilities(subject: Subject, settings: Settings, images: Any) -> np.ndarray:
    logits = functools.partial(drive.call, drive.as_argument(subject.logits_fn))
    return np.asarray(jax.nn.softmax(drive.in_batches(logits, settings.batch_size, images).astype(jnp.float32)))


def _first_of_each_class(labels: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` of the candidates: the first of every class, then the second of every class, and so on."""
    rank = np.zeros(len(candidates), int)
    for label in np.unique(labels[candidates]):
        those = labels[candidates] == label
        rank[those] = np.arange(those.sum())
    return candidates[np.lexsort((labels[candidates], rank))][:count]


def _explain(subject: Subject, indices: np.ndarray, log: Callable[[str], None]) -> Iterator[Maps]:
    images, labels = subject.images[indices], np.asarray(subject.labels, np.int32)[indices]
    window = max(1, min(images.shape[1:3]) // 8)
    stride = max(1, window // 2)
    occlude = functools.partial(occlusion, subject.logits_fn, window=window, stride=stride)
    for name, unit, meaning, signed, method in (
        (
            "saliency",
            "|∂ logit / ∂ pixel|",
            "the gradient's largest magnitude over channels",
            False,
            functools.partial(saliency, subject.logits_fn),
        ),
        (
            "Grad-CAM",
            "weighted activation",
            "the channels of the last stage, weighted by their mean gradient, where their sum is positive",
            False,
            subject.grad_cam,
        ),
        (
            "occlusion",
            "drop of the logit",
            f"how far the logit falls when a black window of {window}×{window} pixels hides a pixel, averaged over "
            f"the windows that do, {stride} apart; orange: the pixel speaks for the class",
            True,
            occlude,
        ),
    ):
        if method is not None:
            log(f"{name} of {len(indices)} images")
            yield Maps(name, unit, meaning, signed, np.asarray(method(images, labels)))


def _attack(subject: Subject, settings: Settings, clean: np.ndarray, log: Callable[[str], None]):
    images = np.asarray(subject.images[: settings.attacked], np.float32)
    labels = np.asarray(subject.labels, np.int32)[: settings.attacked]
    correct = clean[: settings.attacked].argmax(-1) == labels
    shown = _first_of_each_class(labels, np.flatnonzero(correct), settings.fooled)
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

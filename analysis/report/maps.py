"""Maps of the pixels that classes hang on, for a report."""

import dataclasses
from collections.abc import Callable, Iterator

import jax
import numpy as np

from analysis.attribution.methods import METHODS, explainer
from analysis.report.settings import Settings
from analysis.report.subject import Subject

SHOWN = ("saliency", "grad_cam", "occlusion")


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """One method's maps of some images.

    Attributes:
      name: of the method.
      unit: what a value measures.
      meaning: the method in a clause.
      signed: whether values below zero mean something.
      values: (M, H, W).
      layer: that it looked into; empty: the method has none.
    """

    name: str
    unit: str
    meaning: str
    signed: bool
    values: np.ndarray
    layer: str = ""

    @property
    def sentence(self) -> str:
        """The method, and what its colours say."""
        meaning = self.meaning[0].upper() + self.meaning[1:]
        return f"{meaning}; orange speaks for the class, blue against it." if self.signed else f"{meaning}."


@dataclasses.dataclass(frozen=True, eq=False)
class Explorer:
    """Many methods' maps of the same images, to flip through.

    Attributes:
      indices: (M,) test images: the first of each class, then some of the hardest.
      targets: (M,) the class that the maps explain: the predicted one.
      layers: paths that methods looked into, the shallowest first.
      maps: by method, then by layer.
      left_out: methods that the model refuses, and why.
    """

    indices: np.ndarray
    targets: np.ndarray
    layers: tuple[str, ...]
    maps: tuple[Maps, ...]
    left_out: dict[str, str]


def explain(subject: Subject, indices: np.ndarray, log: Callable[[str], None]) -> Iterator[Maps]:
    """The maps of a few methods for the true class of some images."""
    images, labels = subject.images[indices], np.asarray(subject.labels, np.int32)[indices]
    for name in SHOWN:
        method = METHODS[name]
        if method.of_model and (subject.network is None or not subject.depths(1)):
            continue
        log(f"{method.label} of {len(indices)} images")
        values = explainer(name, subject.logits_fn, subject.network)(images, labels)
        yield Maps(method.label, method.unit, method.meaning, method.signed, np.asarray(values))


def explore(
    subject: Subject, settings: Settings, predictions: np.ndarray, hardest: np.ndarray, log: Callable[[str], None]
) -> Explorer:
    """The maps of every method that the subject allows, for the predicted class, from several layers.

    Args:
      subject: the classifier and its test images.
      settings: how many images and layers.
      predictions: (N,) the predicted class of each test image.
      hardest: (N,) test images, the hardest first.
      log: told what is being done, a line at a time.
    """
    labels = np.asarray(subject.labels)
    some = hardest[: settings.explored // 6]
    others = np.setdiff1d(np.arange(len(labels)), some)
    indices = np.concatenate([first_of_each_class(labels, others, settings.explored - len(some)), some])
    images, targets = subject.images[indices], predictions[indices].astype(np.int32)
    layers = subject.depths(settings.layers)
    maps: list[Maps] = []
    left_out: dict[str, str] = {}
    for name, method in METHODS.items():
        if method.of_model and subject.network is None:
            continue
        log(f"{method.label} of {len(indices)} images" + (f", {len(layers)} layers" if method.of_layer else ""))
        try:
            for layer in layers if method.of_layer else [None]:
                explained = explainer(name, subject.logits_fn, subject.network, layer, jax.random.key(settings.seed))
                values = np.asarray(explained(images, targets))
                maps.append(Maps(method.label, method.unit, method.meaning, method.signed, values, layer or ""))
        except ValueError as error:
            left_out[method.label] = str(error)
    return Explorer(indices, targets, layers, tuple(maps), left_out)


def first_of_each_class(labels: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` of the candidates: the first of every class, then the second of every class, and so on."""
    rank = np.zeros(len(candidates), int)
    for label in np.unique(labels[candidates]):
        those = labels[candidates] == label
        rank[those] = np.arange(those.sum())
    return candidates[np.lexsort((labels[candidates], rank))][:count]

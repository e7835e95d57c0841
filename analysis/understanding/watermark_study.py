"""Measurements of the watermark experiment: maps, verdicts and attacks of several networks on the same images."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from analysis import attacks, execution, metrics
from analysis.attribution.methods import METHODS, explainer
from analysis.network import Network
from analysis.understanding import memorisation
from analysis.understanding.memorisation import Evidence, Verdict, separation
from convzoo.commands import say

BATCH_SIZE = 64
SANITY, RADIUS, TRIES = 6, 0.02, 3
"""Images that the methods themselves are checked on; the change that sensitivity makes, and how often."""


class Sanity(NamedTuple):
    """Checks of one method on one network.

    Attributes:
      randomised: mean rank correlation of its maps with those of the same model without training.
      sensitivity: median of the relative change of a map under small changes of the image.
      infidelity: share of the effect of noise on the logit that the best-scaled maps do not explain.
      agreement: mean rank correlation of its maps with those of the other methods.
    """

    randomised: float
    sensitivity: float
    infidelity: float
    agreement: float


class Findings(NamedTuple):
    """Measurements of one network.

    Attributes:
      evidence: of each method.
      verdict: on the images that it was examined on.
      elsewhere: mean contrast of occlusion, for the predicted class, by the name of another data set.
      margin: (N,) lead of the label's logit under attack.
      prediction: how well the contrast of occlusion predicts the success of the attack, of `predicts_attack`.
      sanity: of each method.
    """

    evidence: dict[str, Evidence]
    verdict: Verdict
    elsewhere: dict[str, float]
    margin: np.ndarray
    prediction: tuple[float, float]
    sanity: dict[str, Sanity]


def study(
    networks: Mapping[str, Network],
    images: Any,
    labels: Any,
    objects: Any,
    marks: Any,
    key: jax.Array,
    elsewhere: Mapping[str, Any] | None = None,
    methods: Sequence[str] = tuple(METHODS),
    epsilon: float = 8 / 255,
    log: Callable[[str], None] = say,
) -> dict[str, Findings]:
    """Examine networks on the same images.

    Args:
      networks: by name.
      images: (N, H, W, C) floats in [0, 1], with the mark that goes with the class.
      labels: (N,) their classes.
      objects: (N, H, W) booleans: the visible pixels of the object.
      marks: (H, W) booleans, or (N, H, W): the pixels of the mark.
      key: from `jax.random.key`, for the methods and the attack.
      elsewhere: other images of the same objects, by name, with another mark in the same place.
      methods: names of attribution functions of `analysis`.
      epsilon: bound of PGD on each value, as a fraction of its range.
      log: called with a line at each step.

    Returns:
      `Findings` by the network's name.

    Raises:
      ValueError: images, labels, masks or names that are not of the above.
    """

    def examine(name: str, network: Network) -> Findings:
        log(f"examining the {name} net")
        evidence = memorisation.examine(
            network.logits_fn,
            {method: _explainer(method, network, key) for method in methods},
            images,
            labels,
            objects,
            marks,
        )
        margin = memorisation.attacked_margin(network.logits_fn, images, labels, attacks.Linf(epsilon), key)
        occlusion = _explainer("occlusion", network, key)
        contrasts = {
            other: metrics.contrast(occlusion(changed, _predicted(network, changed)), marks, objects)
            for other, changed in (elsewhere or {}).items()
        }
        return Findings(
            evidence,
            memorisation.verdict(evidence),
            {other: float(contrast.mean()) for other, contrast in contrasts.items()},
            np.asarray(margin),
            predicts_attack(contrast_of(evidence), margin),
            _sanity(network, evidence, images[:SANITY], labels[:SANITY], key),
        )

    return {name: examine(name, network) for name, network in networks.items()}


def _explainer(method: str, network: Network, key: jax.Array) -> memorisation.Method:
    return explainer(method, network.logits_fn, network, key=key, batch_size=BATCH_SIZE)


def _predicted(network: Network, images: Any) -> np.ndarray:
    return np.argmax(execution.call(network.logits_fn, images), 1)


def _sanity(
    network: Network, evidence: Mapping[str, Evidence], images: Any, labels: Any, key: jax.Array
) -> dict[str, Sanity]:
    model, variables, preprocess = network.model, network.variables, network.preprocess
    few = len(images)
    agreement = metrics.agreement({method: one.maps for method, one in evidence.items()})
    agreements = (agreement.sum(0) - 1) / max(len(evidence) - 1, 1)

    def infidelity(maps: Any) -> jax.Array:
        return metrics.infidelity(network.logits_fn, images, labels, maps, key, rescale=True).mean()

    def randomised(method: str, model: Any, variables: Any, *rows: Any) -> jax.Array:
        return _explainer(method, Network(model, variables, preprocess), key)(*rows)

    effect = infidelity(np.zeros(np.shape(images)[:3]))
    checks = {}
    for (method, one), agreed in zip(evidence.items(), agreements, strict=True):
        chain = metrics.randomisation(
            functools.partial(randomised, method),
            model,
            variables,
            images,
            labels,
            jax.random.fold_in(key, 1),
            preprocess=preprocess,
        )
        change = metrics.sensitivity(_explainer(method, network, key), images, labels, key, RADIUS, TRIES)
        checks[method] = Sanity(
            float(chain.rank_correlation[-1].mean()),
            float(np.median(change)),
            float(infidelity(one.maps[:few]) / effect),
            float(agreed),
        )
    return checks


def contrast_of(evidence: Mapping[str, Evidence]) -> np.ndarray:
    """(N,) contrasts of occlusion, or of the first method where that is not among them."""
    return np.asarray(evidence.get("occlusion", next(iter(evidence.values()))).contrast)


def predicts_attack(contrast: Any, margin: Any) -> tuple[float, float]:
    """Whether importance on the mark predicts the success of an attack.

    Args:
      contrast: (N,) importance of the mark against the object.
      margin: (N,) lead of the label's logit under attack; below zero, the attack succeeded.

    Returns:
      The chance that an image with success has more contrast than one without (0.5: no connection; NaN: all
      attacks succeed, or none), and the rank correlation of contrast and margin (0: no connection).

    Example:
      >>> predicts_attack([0.9, 0.8, -0.5], [-1.0, -0.5, 2.0])
      (1.0, -1.0)
    """
    contrast, margin = np.asarray(contrast, np.float32), np.asarray(margin, np.float32)
    correlation = metrics.rank_correlation(contrast[None, None], margin[None, None])
    return separation(contrast[margin < 0], contrast[margin >= 0]), round(float(correlation[0]), 6)

"""An experiment on memorisation: classifiers that did or did not learn from a betraying mark, told apart by their maps.

found = watermark.study(subjects, images, labels, objects, marks, key=jax.random.key(0))
watermark_page.write(found, images, "watermark.md", command="how it was made")
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from analysis import attacks, execution, metrics
from analysis.attribution.methods import METHODS, explainer
from analysis.network import Network
from analysis.understanding import memorisation
from analysis.understanding.memorisation import Evidence, Verdict, separation

BATCH_SIZE = 64
SANITY, RADIUS, TRIES = 6, 0.02, 3
"""Images that the methods themselves are checked on; the change that sensitivity makes, and how often."""


class Subject(NamedTuple):
    """A classifier to be examined.

    Attributes:
      model: a Linen module.
      variables: its variables.
      preprocess: what stands between images in [0, 1] and the model; None: nothing.
      accuracy: what it reaches, by the name of the test set.
    """

    model: nn.Module
    variables: Any
    preprocess: Callable[[jax.Array], jax.Array] | None
    accuracy: Mapping[str, float]


class Findings(NamedTuple):
    """What was found of one classifier.

    Attributes:
      accuracy: by the name of the test set.
      evidence: of each method.
      verdict: on the images that it was examined on.
      elsewhere: mean contrast of occlusion, for the predicted class, by the name of another data set.
      margin: (N,) lead of the label's logit under attack.
      foretold: how the contrast of occlusion goes with the attack: see `foretell`.
      randomised: mean rank correlation of each method's maps with those of the same model without training.
      sensitivity: median of each method.
      unforetold: share of the effect of noise on the logit that each method's best-scaled maps do not foretell.
      agreement: mean rank correlation of each method's maps with those of the others.
    """

    accuracy: Mapping[str, float]
    evidence: dict[str, Evidence]
    verdict: Verdict
    elsewhere: dict[str, float]
    margin: np.ndarray
    foretold: tuple[float, float]
    randomised: dict[str, float]
    sensitivity: dict[str, float]
    unforetold: dict[str, float]
    agreement: dict[str, float]


def study(
    subjects: Mapping[str, Subject],
    images: Any,
    labels: Any,
    objects: Any,
    marks: Any,
    key: jax.Array,
    elsewhere: Mapping[str, Any] | None = None,
    methods: Sequence[str] = tuple(METHODS),
    epsilon: float = 8 / 255,
    log: Callable[[str], None] = print,
) -> dict[str, Findings]:
    """Examine classifiers on the same images.

    Args:
      subjects: classifiers by name.
      images: (N, H, W, C) floats in [0, 1], with the mark that goes with the class.
      labels: (N,) their classes.
      objects: (N, H, W) booleans: where the object is seen.
      marks: (H, W) booleans, or (N, H, W): where the mark is.
      key: from `jax.random.key`, for the methods and the attack.
      elsewhere: other images of the same objects, by name, with another mark in the same place.
      methods: names of attribution functions of `analysis`.
      epsilon: bound of PGD on each value, as a fraction of its range.
      log: told what is being done, a line at a time.

    Returns:
      `Findings` by the subject's name.

    Raises:
      ValueError: images, labels, masks or names that are not of the above.
    """

    def examine(name: str, subject: Subject) -> Findings:
        log(f"examining the {name} net")
        model, variables, preprocess, accuracy = subject
        network = Network(model, variables, preprocess)
        logits_fn = network.logits_fn

        def bind(method: str, network: Network) -> memorisation.Method:
            return explainer(method, network.logits_fn, network, key=key, batch_size=BATCH_SIZE)

        bound = {method: bind(method, network) for method in methods}
        evidence = memorisation.examine(logits_fn, bound, images, labels, objects, marks)
        occlusion = bind("occlusion", network)
        contrasts = {
            other: metrics.contrast(occlusion(given, np.argmax(execution.call(logits_fn, given), 1)), marks, objects)
            for other, given in (elsewhere or {}).items()
        }
        margin = memorisation.attacked_margin(logits_fn, images, labels, attacks.Linf(epsilon), key)
        agreement = metrics.agreement({method: one.maps for method, one in evidence.items()})
        few = images[:SANITY], labels[:SANITY]

        randomised = {
            method: metrics.randomisation(
                lambda model, variables, *given, method=method: bind(method, Network(model, variables, preprocess))(
                    *given
                ),
                model,
                variables,
                *few,
                jax.random.fold_in(key, 1),
                preprocess=preprocess,
            ).rank_correlation
            for method in methods
        }

        def infidelity(maps):
            return metrics.infidelity(logits_fn, *few, maps, key, rescale=True).mean()

        effect = infidelity(np.zeros(np.shape(few[0])[:3]))
        steady = {method: metrics.sensitivity(bound[method], *few, key, RADIUS, TRIES) for method in methods}
        return Findings(
            accuracy,
            evidence,
            memorisation.verdict(evidence),
            {other: float(contrast.mean()) for other, contrast in contrasts.items()},
            np.asarray(margin),
            foretell(contrast_of(evidence), margin),
            {method: float(rows[-1].mean()) for method, rows in randomised.items()},
            {method: float(np.median(values)) for method, values in steady.items()},
            {method: float(infidelity(one.maps[:SANITY]) / effect) for method, one in evidence.items()},
            dict(zip(methods, (agreement.sum(0) - 1) / max(len(methods) - 1, 1), strict=True)),
        )

    return {name: examine(name, subject) for name, subject in subjects.items()}


def contrast_of(evidence: Mapping[str, Evidence]) -> np.ndarray:
    """(N,) contrasts of occlusion, or of the first method where that is not among them."""
    return np.asarray(evidence.get("occlusion", next(iter(evidence.values()))).contrast)


def foretell(contrast: Any, margin: Any) -> tuple[float, float]:
    """Whether importance on the mark foretells the success of an attack.

    Args:
      contrast: (N,) importance of the mark against the object.
      margin: (N,) lead of the label's logit under attack; below zero, the attack succeeded.

    Returns:
      The chance that an image with success has more contrast than one without (0.5: no connection; NaN: all
      attacks succeed, or none), and the rank correlation of contrast and margin (0: no connection).

    Example:
      >>> foretell([0.9, 0.8, -0.5], [-1.0, -0.5, 2.0])
      (1.0, -1.0)
    """
    contrast, margin = np.asarray(contrast, np.float32), np.asarray(margin, np.float32)
    correlation = metrics.rank_correlation(contrast[None, None], margin[None, None])
    return separation(contrast[margin < 0], contrast[margin >= 0]), round(float(correlation[0]), 6)

"""Memorisation: evidence that a classifier reads a mark that comes with the object, instead of the object.

The evidence is where its attribution maps lie, in images whose object and mark are known:

evidence = memorisation.examine(logits_fn, methods, images, labels, objects, marks)
memorisation.verdict(evidence).memorised
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import attacks, checks, execution, metrics
from analysis.numerics import at_least_float32, entry_of

Method = Callable[[Any, Any], jax.Array]


class Evidence(NamedTuple):
    """One method's maps: their place on object and mark, and the worth of their order of the pixels.

    Attributes:
      maps: (N, H, W).
      contrast: (N,) in [−1, 1]; above zero: a pixel of the mark matters more than one of the object.
      mark, object: (N,) share of the positive values that lies on each.
      points_at_object: (N,) whether the largest value lies on the object.
      insertion, deletion: (N,) areas under the curves of probability.
    """

    maps: jax.Array
    contrast: jax.Array
    mark: jax.Array
    object: jax.Array
    points_at_object: jax.Array
    insertion: jax.Array
    deletion: jax.Array


class Verdict(NamedTuple):
    """The conclusion from the evidence.

    Attributes:
      memorised: whether, for most methods, the mean contrast is above zero.
      contrast: median over the methods of their mean contrast, in [−1, 1].
      votes: methods whose mean contrast is above zero, and their number.
    """

    memorised: bool
    contrast: float
    votes: tuple[int, int]


def examine(
    logits_fn: Callable[[jax.Array], jax.Array],
    methods: Mapping[str, Method],
    images: Any,
    labels: Any,
    objects: Any,
    marks: Any,
    steps: int = 16,
    batch_size: int | None = 128,
) -> dict[str, Evidence]:
    """Collect the evidence of each method about one classifier.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      methods: by name, (images, labels) → (N, H, W) maps of that classifier;
        `analysis.attribution.methods.explainer` makes them.
      images: (N, H, W, C) floats in [0, 1], all with the mark.
      labels: (N,) the class of each map.
      objects: (N, H, W) booleans: where the object is seen.
      marks: the same of the mark, or (H, W) for all.
      steps: of insertion and deletion.
      batch_size: changed images held at once.

    Returns:
      An `Evidence` for each method.

    Raises:
      ValueError: images, labels, masks or maps that are not of the above, or masks that overlap.

    Example:
      >>> import analysis
      >>> corner = lambda images: images[:, 0, 0] @ jnp.array([[1.0, -1.0]])
      >>> methods = {"saliency": lambda images, labels: analysis.saliency(corner, images, labels)}
      >>> mark = np.array([[True, False], [False, False]])
      >>> evidence = examine(corner, methods, jnp.ones((1, 2, 2, 1)), [0], ~mark[None], mark)
      >>> evidence["saliency"].contrast.tolist()
      [1.0]
    """
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    objects, marks = (
        metrics.as_masks(masks, images.shape[:3], name) for masks, name in ((objects, "objects"), (marks, "marks"))
    )
    if checks.is_concrete(objects) and checks.is_concrete(marks) and bool((objects & marks).any()):
        raise ValueError("objects and marks overlap: a pixel is one's or the other's")

    def evidence(name: str, method: Method) -> Evidence:
        maps = metrics.as_maps(method(images, labels), images.shape[:3], f"the maps of {name}")
        return Evidence(
            maps,
            metrics.contrast(maps, marks, objects),
            metrics.mass_inside(maps, marks),
            metrics.mass_inside(maps, objects),
            metrics.pointing_game(maps, objects),
            metrics.insertion(logits_fn, images, labels, maps, steps, batch_size=batch_size),
            metrics.deletion(logits_fn, images, labels, maps, steps, batch_size=batch_size),
        )

    return {name: evidence(name, method) for name, method in methods.items()}


def verdict(evidence: Mapping[str, Evidence]) -> Verdict:
    """Decide by the majority of the methods whether a classifier reads the mark.

    Args:
      evidence: of each method, from `examine`.

    Returns:
      A `Verdict`.

    Raises:
      ValueError: no evidence.

    Example:
      >>> zero = jnp.zeros((1, 2, 2))
      >>> verdict({"saliency": Evidence(zero, *[jnp.array([0.5])] * 6)})
      Verdict(memorised=True, contrast=0.5, votes=(1, 1))
    """
    if not evidence:
        raise ValueError("a verdict without evidence: give at least one method")
    means = [float(one.contrast.mean()) for one in evidence.values()]
    votes = sum(mean > 0 for mean in means)
    return Verdict(2 * votes > len(means), float(np.median(means)), (votes, len(means)))


def separation(first: Any, second: Any) -> float:
    r"""The chance that a number of the first kind is above one of the second: the area under the ROC curve.

    .. math:: P(a > b) + P(a = b) / 2

    Args:
      first: (N,) numbers.
      second: (M,) numbers.

    Returns:
      1 where all of the first are above all of the second, 0.5 where nothing tells them apart; NaN where one
      kind is empty.

    Example:
      >>> separation([3, 2], [1, 2])
      0.875
    """
    first, second = np.asarray(first)[:, None], np.asarray(second)
    if not first.size or not second.size:
        return float("nan")
    return float((first > second).mean() + (first == second).mean() / 2)


def attacked_margin(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    threat: attacks.Threat,
    key: jax.Array,
    steps: int = 20,
    batch_size: int | None = 128,
) -> jax.Array:
    """The lead of the label's logit over all others after PGD; below zero, the attack succeeded.

    Args:
      logits_fn, images, labels, threat, key, steps, batch_size: as in `attacks.pgd`.

    Returns:
      (N,).

    Raises:
      ValueError: as in `attacks.pgd`.

    Example:
      >>> linear = lambda images: images[:, 0, 0] @ jnp.array([[1.0, 0.0]])
      >>> attacked_margin(linear, jnp.full((1, 1, 1, 1), 0.5), [0], attacks.Linf(0.25), jax.random.key(0)).item()
      0.25
    """
    adversarial = attacks.pgd(logits_fn, images, labels, threat, steps, key=key, batch_size=batch_size)
    function, adversarial, labels = checks.inputs(logits_fn, adversarial, labels)
    return execution.in_batches(lambda *rows: _margin(function, *rows), batch_size, adversarial, labels)


@jax.jit
def _margin(logits_fn, images, labels):
    logits = at_least_float32(logits_fn(images))
    own = jax.nn.one_hot(labels, logits.shape[1], dtype=bool)
    return entry_of(logits, labels) - jnp.max(logits, axis=1, where=~own, initial=-jnp.inf)

"""Health of a classifier: defects of its filters and channels, purity of top images, and memorisation."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.diagnosis.channels import ChannelReport, channel_report
from analysis.diagnosis.findings import Finding, told
from analysis.diagnosis.kernels import KernelReport, kernel_of, kernel_report
from analysis.diagnosis.purity import chance_purity, class_purity
from analysis.layers import find_layer, pooled
from analysis.network import Network
from convzoo.checks import integer

MEMORISED = 0.5
"""Share of what is known of the training set that does not carry over, from which it is called memorised. A network
that overfits as networks do, 100 % on the training set and 70 % on held-out images of a hundred classes, has 0.3."""
CERTAIN = 3.0
"""Standard errors by which accuracies must differ to be called different."""


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """Accuracy on a data set, and that of guessing.

    Attributes:
      images: how many there are.
      accuracy: share of them that is classified correctly.
      guessing: accuracy of always naming the most frequent class.
    """

    images: int
    accuracy: float
    guessing: float

    @property
    def beyond(self) -> float:
        """Accuracy beyond guessing."""
        return self.accuracy - self.guessing

    @property
    def error(self) -> float:
        """Standard error of the accuracy, by Agresti and Coull, which is not zero at 0 and 100 %."""
        share = (self.accuracy * self.images + 2) / (self.images + 4)
        return math.sqrt(share * (1 - share) / (self.images + 4))

    @property
    def any(self) -> bool:
        """Whether it is better than guessing, by more than chance explains."""
        return self.beyond > CERTAIN * self.error


@dataclasses.dataclass(frozen=True, eq=False)
class Health:
    """The outcome of an examination.

    Attributes:
      kernel: the filters that see pixels; None: the model has no convolution there.
      layers: each layer's channels, by path.
      held_out, trained_on: accuracy on the images, and on those of the training; None: not given.
      purity: mean `class_purity` of the top images by layer, of the first and the last; by chance: `chance`.
      trained_purity: that of the last layer on the training images; nan: not given.
      chance: what images drawn blindly would have.
      memorised: share of what is known of the training set beyond guessing that held-out images do not show, 0 to
        1; nan: no training set given, or nothing known of it.
      findings: defects; empty for a healthy network.
    """

    kernel: KernelReport | None
    layers: dict[str, ChannelReport]
    held_out: Knowledge
    trained_on: Knowledge | None
    purity: dict[str, float]
    trained_purity: float
    chance: float
    memorised: float
    findings: tuple[Finding, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether there is no defect."""
        return not self.findings

    def __str__(self) -> str:
        purity = ", ".join(f"{value:.2f} at {path}" for path, value in self.purity.items())
        lines = [
            told(self.findings) or "healthy: nothing found",
            f"accuracy {100 * self.held_out.accuracy:.1f} % on {self.held_out.images:,} held-out images, "
            f"guessing {100 * self.held_out.guessing:.1f} %",
            f"class purity of top images {purity}; drawn blindly {self.chance:.2f}",
        ]
        if self.trained_on is None:
            lines.append("memorisation not judged: that takes the training images, trained_on=(images, labels)")
        elif math.isnan(self.memorised):
            lines.append("memorisation not judged: it knows nothing of the training images")
        else:
            lines.append(
                f"accuracy {100 * self.trained_on.accuracy:.1f} % on {self.trained_on.images:,} training images: "
                f"{100 * self.memorised:.0f} % of what it knows of them does not carry over"
            )
        return "\n".join(lines)


def health(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    trained_on: tuple[Any, Any] | None = None,
    layers: Sequence[str] | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    count: int = 9,
    batch_size: int = 128,
    key: jax.Array | None = None,
) -> Health:
    r"""Examine a trained classifier: filters, channels, top images, and memory against knowledge.

    Memorised is what shows on the training set only. With accuracies a and those of guessing g,

    .. math:: m = 1 - \frac{a_{\text{held out}} - g_{\text{held out}}}{a_{\text{trained on}} - g_{\text{trained on}}}

    is 0 if all that is known carries over, and 1 for a network that was trained on shuffled labels. Held-out images
    of another kind than the training set's raise it too. The other findings are those of `kernel_report` and
    `channel_report`, and that it does no better than guessing; filters that look random are held against a network
    that guesses only. The class purity of top images is reported and accuses nobody: it rises with depth in most
    healthy networks, but not in all.

    Args:
      model: any Linen module from images to logits.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1] that it was not trained on.
      labels: (N,) their classes.
      trained_on: images and labels that it was trained on, with the labels it was given; None: memorisation is not
        judged.
      layers: those whose channels are examined, in order; None: the direct children of the model but the last, whose
        output is the logits.
      preprocess: a function from images to the input of the model; None: the images themselves.
      count: top images a channel.
      batch_size: images held at once; each layer takes three passes over them.
      key: of the noise in `channel_report`; None: `jax.random.key(0)`.

    Returns:
      The `Health`; printed, it is its findings in words, and the numbers behind them.

    Raises:
      ValueError: images, labels or layers that are not of the above, or a count above the number of images.

    Example:
      >>> class Bright(nn.Module):
      ...     @nn.compact
      ...     def __call__(self, images):
      ...         return nn.Dense(2, name="head")(nn.relu(nn.Conv(2, (1, 1), name="stem")(images)).mean((1, 2)))
      >>> stem = {"kernel": np.array([[[[1.0, 0.0]]]]), "bias": np.zeros(2)}
      >>> head = {"kernel": np.eye(2), "bias": np.array([0, 0.5])}
      >>> images, labels = np.linspace(0, 1, 40, dtype=np.float32).reshape(40, 1, 1, 1), np.arange(40) < 20
      >>> result = health(Bright(), {"params": {"stem": stem, "head": head}}, images, labels.astype(int))
      >>> [finding.kind for finding in result.findings], result.held_out.accuracy
      (['dead', 'dead'], 1.0)
    """
    network = Network(model, variables, preprocess)
    logits_fn, images, labels = checks.inputs(network.logits_fn, images, labels)
    checks.several(checks.classes_of(logits_fn, images))
    integer("count", count)
    if count > len(images):
        raise ValueError(f"count={count} is more than the {len(images)} images there are")
    if isinstance(layers, str):
        raise ValueError(f"layers={layers!r}: expected several names, such as [{layers!r}]")
    if trained_on is not None:
        if not isinstance(trained_on, tuple | list) or len(trained_on) != 2:
            raise ValueError(f"trained_on is of type {type(trained_on).__name__}: expected a pair (images, labels)")
        trained_on = checks.inputs(logits_fn, *trained_on)[1:]
    forms = network.layers(images)
    if layers is None:
        layers = [path for path, form in forms.items() if "/" not in path and _is_rows(form)][:-1]
    places = [find_layer(network, images, layer) for layer in layers]
    if not places:
        raise ValueError(f"{type(model).__name__} has no direct children but the logits: give layers=")

    held_out = _knowledge(logits_fn, images, labels, batch_size)
    trained = None if trained_on is None else _knowledge(logits_fn, *trained_on, batch_size)
    purity = {
        place.path: _purity(pooled(place, images, "max", batch_size), labels, count)
        for place in (places[0], places[-1])
    }
    examined = Health(
        kernel=_first_kernel(variables, forms),
        layers={
            place.path: channel_report(model, variables, images, place.path, preprocess, batch_size, key)
            for place in places
        },
        held_out=held_out,
        trained_on=trained,
        purity=purity,
        trained_purity=math.nan
        if trained_on is None or count > len(trained_on[0])
        else _purity(pooled(places[-1], trained_on[0], "max", batch_size), trained_on[1], count),
        chance=chance_purity(labels, count),
        memorised=math.nan
        if trained is None or not trained.any
        else float(np.clip(1 - held_out.beyond / trained.beyond, 0, 1)),
    )
    return dataclasses.replace(examined, findings=tuple(_judge(examined)))


def _is_rows(form: Any) -> bool:
    return isinstance(form, jax.ShapeDtypeStruct) and form.ndim >= 2 and jnp.issubdtype(form.dtype, jnp.floating)


def _first_kernel(variables: Any, forms: dict[str, Any]) -> KernelReport | None:
    """The first convolution in the order of computation."""
    for path in forms:
        try:
            path, kernel = kernel_of(variables, path)
        except ValueError:
            continue
        return kernel_report(kernel, path)
    return None


def _knowledge(logits_fn: jax.tree_util.Partial, images: Any, labels: Any, batch_size: int) -> Knowledge:
    logits = execution.in_batches(lambda images: execution.call(logits_fn, images), batch_size, images)
    labels = np.asarray(labels)
    return Knowledge(
        images=len(labels),
        accuracy=float((np.asarray(logits).argmax(-1) == labels).mean()),
        guessing=float(np.bincount(labels).max() / len(labels)),
    )


def _purity(values: np.ndarray, labels: Any, count: int) -> float:
    """Mean class purity of the channels that some image excites more than another; nan: there are none."""
    values = values[:, np.ptp(values, axis=0) > 0]
    if not values.size:
        return math.nan
    return float(class_purity(labels, np.argsort(-values, axis=0, kind="stable")[:count].T).mean())


def _judge(examined: Health) -> Iterator[Finding]:
    for finding in examined.kernel.findings if examined.kernel is not None else ():
        # Random filters at the bottom can carry a good network, and short training moves them little.
        if finding.kind != "random" or not examined.held_out.any:
            yield finding
    for report in examined.layers.values():
        yield from report.findings
    held_out, trained = examined.held_out, examined.trained_on
    if not held_out.any and (trained is None or not trained.any):
        text = (
            f"it guesses: {100 * held_out.accuracy:.1f} % of {held_out.images:,} images are classified correctly, "
            f"and {100 * held_out.guessing:.1f} % by always naming the most frequent class"
        )
        yield Finding("guessing", "", (), held_out.accuracy, text)
    if trained is not None and examined.memorised > MEMORISED:
        gap = trained.beyond - held_out.beyond
        if gap > CERTAIN * math.hypot(trained.error, held_out.error):
            text = (
                f"it has memorised its training set: {100 * trained.accuracy:.1f} % correct there and "
                f"{100 * held_out.accuracy:.1f} % on held-out images, {100 * examined.memorised:.0f} % of what it "
                "knows beyond guessing does not carry over"
            )
            if not math.isnan(examined.trained_purity):
                last = [*examined.purity][-1]
                text += (
                    f"; class purity of {last}'s top images {examined.trained_purity:.2f} by the labels it was given"
                )
            yield Finding("memorised", "", (), examined.memorised, text)

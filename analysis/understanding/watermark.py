"""An experiment on memorisation: classifiers that did or did not learn from a betraying mark, told apart by their maps.

study = watermark.study(subjects, images, labels, objects, marks, key=jax.random.key(0))
watermark.write(study, images, "watermark.md", command="how it was made")
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from analysis import attacks, scores, taps
from analysis.understanding import memorisation
from analysis.understanding.memorisation import Evidence, Verdict, separation

SHORT = {
    "integrated_gradients": "integrated",
    "input_times_gradient": "input × grad",
    "guided_backprop": "guided BP",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "guided_grad_cam": "guided G-CAM",
    "score_cam": "Score-CAM",
    "cam": "CAM",
}
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
    """

    accuracy: Mapping[str, float]
    evidence: dict[str, Evidence]
    verdict: Verdict
    elsewhere: dict[str, float]
    margin: np.ndarray
    foretold: tuple[float, float]
    randomised: dict[str, float]
    sensitivity: dict[str, float]


def study(
    subjects: Mapping[str, Subject],
    images: Any,
    labels: Any,
    objects: Any,
    marks: Any,
    key: jax.Array,
    elsewhere: Mapping[str, Any] | None = None,
    methods: Sequence[str] = memorisation.OF_FUNCTION + memorisation.OF_MODEL,
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
        logits_fn = taps.logits_fn(model, variables, preprocess)
        bound = memorisation.methods_of(model, variables, preprocess, key, methods)
        evidence = memorisation.examine(logits_fn, bound, images, labels, objects, marks)
        occlusion = memorisation.methods_of(model, variables, preprocess, key, ["occlusion"])["occlusion"]
        contrasts = {
            other: scores.contrast(occlusion(given, np.argmax(jax.jit(logits_fn)(given), 1)), marks, objects)
            for other, given in (elsewhere or {}).items()
        }
        margin = memorisation.attacked_margin(logits_fn, images, labels, attacks.Linf(epsilon), key)
        few = images[:SANITY], labels[:SANITY]

        def on(model, variables, *given, method):
            return memorisation.methods_of(model, variables, preprocess, key, [method])[method](*given)

        randomised = {
            method: scores.randomisation(
                lambda *given, method=method: on(*given, method=method),
                model,
                variables,
                *few,
                jax.random.fold_in(key, 1),
                preprocess=preprocess,
            ).rank_correlation
            for method in methods
        }
        steady = {method: scores.sensitivity(bound[method], *few, key, RADIUS, TRIES) for method in methods}
        return Findings(
            accuracy,
            evidence,
            memorisation.verdict(evidence),
            {other: float(contrast.mean()) for other, contrast in contrasts.items()},
            np.asarray(margin),
            foretell(contrast_of(evidence), margin),
            {method: float(rows[-1].mean()) for method, rows in randomised.items()},
            {method: float(np.median(values)) for method, values in steady.items()},
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
    correlation = scores.rank_correlation(contrast[None, None], margin[None, None])
    return separation(contrast[margin < 0], contrast[margin >= 0]), round(float(correlation[0]), 6)


def markdown(found: Mapping[str, Findings], picture: str, command: str, epsilon: float = 8 / 255) -> str:
    """The tables of a study, the first subject against the second, and the rest beside them.

    Args:
      found: from `study`; the memorising one first, then the honest one.
      picture: path of the picture, as seen from the page.
      command: how it was made.
      epsilon: bound of the attack.

    Returns:
      Markdown.
    """
    names = [*found]
    first, second, *_ = found.values()
    methods = [*first.evidence]
    auc = {name: separation(first.evidence[name].contrast, second.evidence[name].contrast) for name in methods}
    count = len(first.margin)
    verdicts = table(
        [
            "net",
            *(f"accuracy, {name}" for name in first.accuracy),
            "contrast",
            "methods for “memorised”",
            *(f"occlusion, {name}" for name in first.elsewhere),
            "verdict",
            f"accuracy under PGD, {255 * epsilon:.3g}/255",
            "foretold (AUC)",
            "foretold (rank)",
        ],
        [
            [
                name,
                *(f"{100 * value:.1f} %" for value in one.accuracy.values()),
                _signed(one.verdict.contrast),
                f"{one.verdict.votes[0]} of {one.verdict.votes[1]}",
                *map(_signed, one.elsewhere.values()),
                "memorised" if one.verdict.memorised else "honest",
                f"{100 * (one.margin >= 0).mean():.1f} %",
                _number(one.foretold[0]),
                _signed(one.foretold[1]),
            ]
            for name, one in found.items()
        ],
    )
    told = table(
        ["method", *(f"contrast, {name}" for name in names), f"AUC, {names[0]} against {names[1]}"],
        [
            [
                method,
                *(_signed(float(one.evidence[method].contrast.mean())) for one in found.values()),
                _number(auc[method]),
            ]
            for method in methods
        ],
    )
    columns = {
        "on mark": "mark",
        "on object": "object",
        "points at object": "points_at_object",
        "insertion": "insertion",
        "deletion": "deletion",
    }
    scored = table(
        ["method", *(f"{title}, {name}" for title in columns for name in names[:2])],
        [
            [
                method,
                *(
                    _number(float(getattr(one.evidence[method], field).mean()))
                    for field in columns.values()
                    for one in (first, second)
                ),
            ]
            for method in methods
        ],
    )
    agree = [scores.agreement({name: one.evidence[name].maps for name in methods}) for one in (first, second)]
    others = max(len(methods) - 1, 1)
    sane = table(
        ["method", *(f"{title}, {name}" for title in ("randomised", "sensitivity", "agreement") for name in names[:2])],
        [
            [
                method,
                *(_signed(one.randomised[method]) for one in (first, second)),
                *(_number(one.sensitivity[method]) for one in (first, second)),
                *(_signed((matrix[row].sum() - 1) / others) for matrix in agree),
            ]
            for row, method in enumerate(methods)
        ],
    )
    worst = min(methods, key=lambda name: auc[name])
    apart = sum(value > 0.5 for value in auc.values())
    return f"""# The watermark experiment

Made by `{command}`.

Each net was trained on the same scenes: **{names[0]}** with a number in the corner that betrays the class,
**{names[1]}** without it{", **" + names[2] + "** with numbers that say nothing of the class" if names[2:] else ""}.
All are examined on the same {count} test images, object and betraying number in each. Whatever a net's accuracy there,
its maps tell what it reads.

*Contrast* compares a pixel of the mark with a pixel of the object: (m − o) / (m + o) of their mean importance, +1 where
all of it is on the mark and −1 where all is on the object. A net is called *memorised* when most methods find it above
zero.

{verdicts}

*Contrast* is the median over methods of their means. *Occlusion, …*: the same of occlusion alone, on the same objects
with another mark, for the class that is predicted there. *Foretold*: whether the contrast of occlusion says which
images PGD (L∞, 20 steps) will turn: the chance that a turned image has more of it than one that stands (0.5: no
connection), and its rank correlation with the margin that is left (0: no connection; below zero: the more mark, the
weaker).

{apart} of {len(methods)} methods tell {names[0]} from {names[1]} better than chance, the worst ({worst}) with an AUC of
{auc[worst]:.3f}: the chance that the contrast of an image under {names[0]} is above that of an image under {names[1]}.

{told}

![Maps of the first test images by method and net]({picture})

Each map has a scale of its own. Signed ones: orange for the class, blue against it; the others: from dark to bright.

Insertion: the larger, the better; deletion: the smaller, the better. Both as areas under the curve of the class's
probability, from a blurred and to a black image. The shares are those of the positive values.

{scored}

The methods themselves, on {min(count, SANITY)} images. *Randomised*: rank correlation of the maps' magnitudes with
those of the same net untrained (all layers, from the logits downwards): far from 0 means that a map outlives the
weights.
*Sensitivity*: median of the largest relative change of a map in {TRIES} random changes of the image of up to {RADIUS}.
*Agreement*: mean rank correlation with the maps of the other methods.

{sane}
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table.

    Example:
      >>> print(table(["net", "accuracy"], [["first", "0.9"]]))
      | net | accuracy |
      |---|--:|
      | first | 0.9 |
    """
    lines = [head, *rows]
    text = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([text[0], "|---" + "|--:" * (len(head) - 1) + "|", *text[1:]])


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def write(
    found: Mapping[str, Findings], images: Any, path: str | pathlib.Path, command: str, epsilon: float = 8 / 255
) -> pathlib.Path:
    """Write the page of a study, and its picture beside it.

    Args:
      found: from `study`.
      images: (N, H, W, C) the images it was made on.
      path: of the Markdown file; the picture has the same name, with `.png`.
      command: how it was made.
      epsilon: bound of the attack.

    Returns:
      The path.
    """
    path = pathlib.Path(path)
    picture = path.with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(_picture(found, np.asarray(images)))
    path.write_text(markdown(found, picture.name, command, epsilon), encoding="utf-8")
    return path


def _picture(found: Mapping[str, Findings], images: np.ndarray, shown: int = 3) -> bytes:
    from analysis import draw  # matplotlib is imported only when something is drawn

    panels, titles = [], []
    for index in range(min(shown, len(images))):
        for name, one in found.items():
            panels.append(draw.rgb(images[index : index + 1])[0])
            titles.append(name)
            for method, evidence in one.evidence.items():
                maps = np.asarray(evidence.maps)
                signed = bool((maps < 0).any())
                own = slice(index, index + 1)
                panels.append(draw.blend(images[own], maps[own], draw.limit(maps[own]), signed)[0])
                titles.append(SHORT.get(method, method) if len(panels) <= 1 + len(one.evidence) else "")
    columns = 1 + len(next(iter(found.values())).evidence)
    return draw.png(draw.grid(np.stack(panels), titles, columns), dpi=110)

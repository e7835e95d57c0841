"""The page of the watermark experiment: Markdown tables, and a picture of the maps."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.understanding.memorisation import separation
from analysis.understanding.watermark import RADIUS, SANITY, TRIES, Findings

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
    pair = {name: found[name] for name in names[:2]}
    methods = [*first.evidence]
    count = len(first.margin)
    auc = {method: separation(first.evidence[method].contrast, second.evidence[method].contrast) for method in methods}
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
    told = by_method(found, {"contrast": lambda one, method: _signed(float(one.evidence[method].contrast.mean()))})
    scored = by_method(pair, SCORED)
    sane = by_method(pair, SANE)
    separations = table(
        ["method", f"AUC, {names[0]} against {names[1]}"], [[method, _number(value)] for method, value in auc.items()]
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

{separations}

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
*Infidelity*: how much of what noise (σ 0.1, the same in all channels) does to the logit the map, at its best scale,
does not foretell: 0 for all of it foretold, 1 for a map that knows nothing of it.
*Agreement*: mean rank correlation with the maps of the other methods.

{sane}
"""


Column = Callable[[Findings, str], str]


def mean(field: str) -> Column:
    """A column of the mean of one field of the evidence."""
    return lambda one, method: _number(float(getattr(one.evidence[method], field).mean()))


SCORED: dict[str, Column] = {
    "on mark": mean("mark"),
    "on object": mean("object"),
    "points at object": mean("points_at_object"),
    "insertion": mean("insertion"),
    "deletion": mean("deletion"),
}
SANE: dict[str, Column] = {
    "randomised": lambda one, method: _signed(one.randomised[method]),
    "sensitivity": lambda one, method: _number(one.sensitivity[method]),
    "infidelity": lambda one, method: _number(one.unforetold[method]),
    "agreement": lambda one, method: _signed(one.agreement[method]),
}


def by_method(found: Mapping[str, Findings], columns: Mapping[str, Column]) -> str:
    """A Markdown table with a row for each method, and in it every column for every net."""
    methods = next(iter(found.values())).evidence
    return table(
        ["method", *(f"{title}, {name}" for title in columns for name in found)],
        [[method, *(cell(one, method) for cell in columns.values() for one in found.values())] for method in methods],
    )


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

"""Tables and picture of the watermark experiment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from analysis.understanding.experiment import Table
from analysis.understanding.memorisation import separation
from analysis.understanding.watermark_study import RADIUS, SANITY, TRIES, Findings

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


class Trial(NamedTuple):
    """The networks of one seed, examined.

    Attributes:
      seed: of the networks.
      accuracy: of each network, by the name of the test set.
      findings: of each network.
    """

    seed: int
    accuracy: dict[str, dict[str, float]]
    findings: dict[str, Findings]


Column = Callable[[Findings, str], float]


def networks(trials: Sequence[Trial], epsilon: float) -> Table:
    """The main table: a row for each network and seed."""
    first = next(iter(trials[0].findings.values()))
    tests = next(iter(trials[0].accuracy.values()))
    head = (
        *("net", "seed"),
        *(f"accuracy, {name}" for name in tests),
        *("contrast", "methods for “memorised”"),
        *(f"occlusion, {name}" for name in first.elsewhere),
        *("verdict", f"accuracy under PGD, {255 * epsilon:.3g}/255", "prediction (AUC)", "prediction (rank)"),
    )
    rows = tuple(
        (
            *(name, str(trial.seed)),
            *(f"{100 * value:.1f} %" for value in trial.accuracy[name].values()),
            signed(one.verdict.contrast),
            f"{one.verdict.votes[0]} of {one.verdict.votes[1]}",
            *map(signed, one.elsewhere.values()),
            "memorised" if one.verdict.memorised else "honest",
            f"{100 * (one.margin >= 0).mean():.1f} %",
            number(one.prediction[0]),
            signed(one.prediction[1]),
        )
        for name in trials[0].findings
        for trial in trials
        for one in [trial.findings[name]]
    )
    return Table(head, rows)


def separations(trials: Sequence[Trial]) -> dict[str, np.ndarray]:
    """(seeds,) AUC of each method: the chance that an image has more contrast under the first net than the second."""
    first, second, *_ = trials[0].findings
    return {
        method: np.array(
            [
                separation(*(trial.findings[name].evidence[method].contrast for name in (first, second)))
                for trial in trials
            ]
        )
        for method in trials[0].findings[first].evidence
    }


def details(trials: Sequence[Trial]) -> tuple[Table, ...]:
    """The tables of the methods; means over seeds, the last two of the first two networks."""
    first, second, *_ = names = [*trials[0].findings]
    auc = Table(
        ("method", f"AUC, {first} against {second}", "least of the seeds"),
        tuple((method, number(values.mean()), number(values.min())) for method, values in separations(trials).items()),
        f"*AUC*: the chance that the contrast of an image under {first} is above that of an image under {second}. "
        "Figures of methods are means over seeds.",
    )
    contrast = _by_method(trials, names, {"contrast": (_mean("contrast"), signed)}, "")
    scored = _by_method(
        trials,
        names[:2],
        {
            "on mark": (_mean("mark"), number),
            "on object": (_mean("object"), number),
            "points at object": (_mean("points_at_object"), number),
            "insertion": (_mean("insertion"), number),
            "deletion": (_mean("deletion"), number),
        },
        "Insertion: the larger, the better; deletion: the smaller, the better. Both as areas under the curve of the "
        "class's probability, from a blurred and to a black image. The shares are those of the positive values.",
    )
    sane = _by_method(
        trials,
        names[:2],
        {
            "randomised": (lambda one, method: one.sanity[method].randomised, signed),
            "sensitivity": (lambda one, method: one.sanity[method].sensitivity, number),
            "infidelity": (lambda one, method: one.sanity[method].infidelity, number),
            "agreement": (lambda one, method: one.sanity[method].agreement, signed),
        },
        f"The methods themselves, on {SANITY} images at most. *Randomised*: rank correlation of the maps' magnitudes "
        "with those of the same net untrained: far from 0 means that a map outlives the weights. *Sensitivity*: median "
        f"of the largest relative change of a map in {TRIES} random changes of the image of up to {RADIUS}. "
        "*Infidelity*: share of the effect of noise (σ 0.1, the same in all channels) on the logit that the map, at "
        "its best scale, does not explain: 0 for all explained, 1 for a map that explains nothing. *Agreement*: mean "
        "rank correlation with the maps of the other methods.",
    )
    return auc, contrast, scored, sane


def _mean(field: str) -> Column:
    return lambda one, method: float(getattr(one.evidence[method], field).mean())


def _by_method(
    trials: Sequence[Trial],
    names: Sequence[str],
    columns: Mapping[str, tuple[Column, Callable[[float], str]]],
    caption: str,
) -> Table:
    """A row for each method, and in it every column for every network, means over seeds."""
    methods = trials[0].findings[names[0]].evidence
    return Table(
        ("method", *(f"{title}, {name}" for title in columns for name in names)),
        tuple(
            (
                method,
                *(
                    written(float(np.mean([value(trial.findings[name], method) for trial in trials])))
                    for value, written in columns.values()
                    for name in names
                ),
            )
            for method in methods
        ),
        caption,
    )


def number(value: float) -> str:
    """Three decimals, or a dash where the value is undefined."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def signed(value: float) -> str:
    """Three decimals with a sign, or a dash where the value is undefined."""
    return "–" if np.isnan(value) else f"{value:+.3f}".replace("-", "−")


def picture(findings: Mapping[str, Findings], images: Any, shown: int = 3) -> bytes:
    """PNG of the maps of the first images with a colour key: a row for each image and network, a column a method."""
    from analysis import draw  # matplotlib is imported only when something is drawn

    panels, rows = [], []
    for index in range(min(shown, len(images))):
        own = slice(index, index + 1)
        for name, one in findings.items():
            row = [draw.rgb(images[own])[0]]
            for evidence in one.evidence.values():
                maps = np.asarray(evidence.maps)
                negative = bool((maps < 0).any())
                row.append(draw.blend(images[own], maps[own], draw.limit(maps[own]), negative)[0])
            panels.append(row)
            rows.append(f"image {index + 1}\n{name}")
    methods = next(iter(findings.values())).evidence
    columns = ["image", *(SHORT.get(method, method) for method in methods)]
    keys = {
        "for the class (orange) or against it (blue)": ("−(largest of the map)", "0", "largest of the map"),
        "magnitude": ("0", "largest of the map"),
    }
    return draw.png(draw.sheet(np.array(panels), rows, columns, keys), dpi=110)

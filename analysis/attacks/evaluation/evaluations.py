"""Results of an evaluation: accuracies under attack, distances, warnings, a table and a picture."""

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.attacks.evaluation.pitfalls import Pitfall
from analysis.numerics import wilson
from convzoo.plots import in_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES = 4
"""Lines of a picture."""
CLEAN, SURVIVES = -1, -2
"""In `Evaluation.attack`: images that were misclassified before, and images that no attack changed the class of."""


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The robustness of a classifier, measured by a suite of attacks.

    An attack sees what those before it have left. An image that is broken within one radius is broken within all
    larger ones.

    Attributes:
      names: in the order of the suite.
      norm: `"linf"`, `"l2"` or `"l1"`.
      radii: (E,) ascending.
      clean: share of images that are classified correctly.
      curve: {attack: (E,) share of images still classified correctly after it and those before it}.
      attack: (N,) index of the attack that broke the image at its smallest radius, or `CLEAN`, or `SURVIVES`.
      level: (N,) index of the smallest radius at which the image is broken; E: it survives; −1: `CLEAN`.
      images: (N, H, W, C) the adversarial images; where there is none, the image itself.
      distances: (N,) in the norm; 0 for images misclassified before, NaN for survivors.
      queries: {attack: (N,) calls for each image}, of attacks without gradients.
      seconds: {attack: run time, compilation included}.
      warnings: reasons for which these figures may be too good.
      shortfalls: {attack: share of the way to the optimum that it leaves undone on the linearized classifier}.
      settings: seeds, versions and hashes that tell this evaluation from others.
    """

    names: tuple[str, ...]
    norm: str
    radii: tuple[float, ...]
    clean: float
    curve: Mapping[str, np.ndarray]
    attack: np.ndarray
    level: np.ndarray
    images: np.ndarray
    distances: np.ndarray
    queries: Mapping[str, np.ndarray]
    seconds: Mapping[str, float]
    warnings: tuple[Pitfall, ...]
    shortfalls: Mapping[str, float]
    settings: Mapping[str, Any]

    @property
    def accuracy(self) -> dict[str, float]:
        """{attack: share of images still classified correctly after it}, at the largest radius."""
        return {name: float(values[-1]) for name, values in self.curve.items()}

    @property
    def worst(self) -> float:
        """The share of images that no attack breaks within the largest radius: the robust accuracy."""
        return float(self.survivors.mean())

    @property
    def survivors(self) -> np.ndarray:
        """(N,) whether no attack breaks the image within the largest radius."""
        return self.level == len(self.radii)

    @property
    def broken_by(self) -> list[str | None]:
        """For each image the attack that broke it; `"clean"`: misclassified before; None: it survives."""
        by = {CLEAN: "clean", SURVIVES: None, **dict(enumerate(self.names))}
        return [by[index] for index in self.attack.tolist()]

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """The head and the rows of the table: accuracies in percent, run time, and queries where there are any."""
        count = len(self.level)
        head = ["after", *(f"ε = {radius_text(radius, self.norm)}" for radius in self.radii), "seconds", "queries"]
        clean = in_percent(self.clean, count)
        lines = [["no attack", *[clean] * len(self.radii), "", ""]]
        for name, shares in self.curve.items():
            asked = self.queries.get(name)
            median = "" if asked is None or not asked.any() else f"{np.median(asked[asked > 0]):.0f}"
            shown = [in_percent(float(share), count) for share in shares]
            lines.append([name, *shown, f"{self.seconds[name]:.1f}", median])
        return head, lines

    def markdown(self) -> str:
        """The table as Markdown."""
        head, lines = self.rows()
        rule = ["---", *["--:"] * (len(head) - 1)]
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *lines))

    def __str__(self) -> str:
        head, lines = self.rows()
        widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
        first, *others = widths
        table = ["  ".join([name.ljust(first), *map(str.rjust, cells, others)]) for name, *cells in (head, *lines)]
        return "\n".join([*(line.rstrip() for line in table), "", *self._remarks()])

    def _remarks(self) -> list[str]:
        count = len(self.level)
        low, high = (in_percent(end, count) for end in wilson(self.worst, count))
        remarks = [
            f"robust accuracy {in_percent(self.worst, count)} % of {count:,} images (95 % interval {low} to {high} %) "
            f"within ε = {radius_text(self.radii[-1], self.norm)} ({self.norm}), an upper bound"
        ]
        moved = self.distances[np.isfinite(self.distances) & (self.distances > 0)]
        if moved.size:
            quartiles = ", ".join(f"{radius_text(value, self.norm)}" for value in np.quantile(moved, (0.25, 0.5, 0.75)))
            remarks.append(f"distance of the adversarial images: quartiles {quartiles}")
        for name, share in self.shortfalls.items():
            remarks.append(f"{name} leaves {share:.1%} of the way to the optimum undone on the linearized classifier")
        return remarks + ([f"warning: {warning.message}" for warning in self.warnings] or ["no warnings"])

    def figure(self) -> "Figure":
        """Accuracy over the radius, after each attack; at most four, the last included."""
        from analysis import draw  # brings Matplotlib

        shown = self.names if len(self.names) <= SERIES else (*self.names[: SERIES - 1], self.names[-1])
        series = {name: np.array([self.clean, *self.curve[name]]) for name in shown}
        return draw.robustness([0.0, *self.radii], series, unit=1 / 255 if self.norm == "linf" else 1.0)

    def to_json(self) -> str:
        """Everything but the images, as JSON."""
        count = len(self.level)
        fields = {
            "norm": self.norm,
            "radii": self.radii,
            "images": count,
            "clean": self.clean,
            "accuracy": {name: values.tolist() for name, values in self.curve.items()},
            "worst": self.worst,
            "interval": wilson(self.worst, count),
            "broken_by": self.broken_by,
            "level": self.level.tolist(),
            "distances": [None if np.isnan(value) else round(float(value), 7) for value in self.distances],
            "queries": {name: values.tolist() for name, values in self.queries.items() if values.any()},
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "warnings": [warning._asdict() for warning in self.warnings],
            "shortfalls": dict(self.shortfalls),
            "settings": dict(self.settings),
        }
        return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"


def radius_text(radius: float, norm: str = "linf") -> str:
    """A radius, in steps of 1/255 where the norm is Linf.

    Example:
      >>> radius_text(8 / 255), radius_text(0.5, "l2")
      ('8/255', '0.5')
    """
    return f"{255 * radius:.3g}/255" if norm == "linf" else f"{radius:.3g}"

"""Kernel reports: statistics of the filters of a layer, and the defects among them."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from analysis.diagnosis.findings import Finding, told
from convzoo.checks import did_you_mean

DEAD = 1e-3
"""A filter is dead below this share of the largest norm. Weakest living filter of the trained networks below: 0.014;
EfficientNet-Lite0's stem has truly dead ones, at 1e-10."""
DUPLICATE = 0.995
"""Cosine from which two filters are one. Nearest pair in the trained networks below: 0.984."""
CHECKERBOARD = 0.8
"""Share of a filter's energy at the Nyquist frequency from which it is a checkerboard: below 0.3 in the trained
networks below, above 0.8 in one random 3×3 filter of two thousand."""
ALIKE = 0.25
"""Filters are alike if the effective number of different ones is below this share of what there could be. Trained
networks below: at least 0.44."""
COLOURED = 4
"""Kernels over at most as many channels see pixels, and only there must trained filters be smooth."""
CERTAIN = 0.06
"""Largest standard error of the smoothness of random filters at which random and trained can be told apart."""
JUDGED = 9
"""Weights a filter must have for two alike not to be chance."""


@dataclasses.dataclass(frozen=True, eq=False)
class KernelReport:
    """A layer's filters, measured.

    Attributes:
      layer: the path, as given.
      norm: (F,) Euclidean.
      smoothness: (F,) correlation of neighbouring weights: 1 for a constant, 0 for noise, −1 for a checkerboard;
        nan: dead, or a single pixel.
      checkerboard: (F,) share of the energy at the Nyquist frequency of both axes; nan: dead, or a single pixel.
      diversity: effective number of different filters, from 1 to F.
      findings: defects; empty for a healthy layer.
    """

    layer: str
    norm: np.ndarray
    smoothness: np.ndarray
    checkerboard: np.ndarray
    diversity: float
    findings: tuple[Finding, ...] = ()

    def __str__(self) -> str:
        good = f"{len(self.norm)} filters, {self.diversity:.1f} different, none defective"
        return told(self.findings) or (f"{self.layer}: {good}" if self.layer else good)


def kernel_report(kernel: Any, layer: str = "") -> KernelReport:
    r"""Find filters that are dead, duplicated, checkerboards, all alike or still random.

    With w one filter, its neighbours over both axes and its channels, and :math:`\lambda` the eigenvalues of the
    squared cosines between filters, divided by their number:

    .. math:: \text{smoothness} = 1 - \frac{\overline{(w_i - w_j)^2}}{2\,\overline{w^2}}, \qquad
              \text{checkerboard} = \frac{\sum_c (\sum_{ij} (-1)^{i+j} w_{ijc})^2}{k_h k_w \lVert w \rVert^2}, \qquad
              \text{diversity} = e^{-\sum \lambda \ln \lambda}

    The smoothness of F filters of random weights is 0 with a standard error of :math:`1/\sqrt{\text{neighbours}}`.
    Kernels that see pixels and do not leave three of these are called random, if there are enough weights to tell.

    The thresholds are constants of this module. They were set on the first layers of the trained MTCNN and
    EfficientNet-Lite0 and of small networks trained on the digits, none of which they accuse except
    of filters that are truly zero.

    Args:
      kernel: (k_h, k_w, C_in, F).
      layer: its name, for the findings.

    Returns:
      The `KernelReport`; printed, it is its findings in words.

    Raises:
      ValueError: another shape, no filter, or numbers that are not finite.

    Example:
      >>> report = kernel_report(np.stack([np.ones((3, 3, 1)), np.zeros((3, 3, 1))], -1))
      >>> print(report)
      filter 1 is dead: its norm is 0, the largest 3

    References: diversity: Friedman & Dieng, 2022, arXiv:2210.02410 (the Vendi score).
    """
    kernel = as_kernel(kernel)
    norm = np.sqrt(np.square(kernel).sum((0, 1, 2)))
    dead = norm <= DEAD * norm.max()
    unit = kernel / np.where(dead, np.inf, norm)
    alive = unit[..., ~dead].reshape(math.prod(kernel.shape[:3]), -1)
    smoothness, neighbours = _smoothness(unit)
    report = KernelReport(
        layer=layer,
        norm=norm,
        smoothness=np.where(dead, np.nan, smoothness),
        checkerboard=np.where(dead, np.nan, _nyquist(unit)),
        diversity=_diversity(alive),
    )
    return dataclasses.replace(report, findings=tuple(_judge(report, kernel.shape, unit, dead, neighbours)))


def as_kernel(kernel: Any) -> np.ndarray:
    """A kernel in double precision.

    Raises:
      ValueError: not (k_h, k_w, C_in, F), no filter, or numbers that are not finite.
    """
    array = np.asarray(kernel, np.float64)
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(f"a kernel of shape {array.shape}: expected (k_h, k_w, C_in, F), all positive")
    if not np.isfinite(array).all():
        raise ValueError("the kernel holds numbers that are not finite")
    return array


def kernel_of(variables: Any, layer: str) -> tuple[str, Any]:
    """The kernel of a layer, from a model's variables.

    Args:
      variables: `{"params": ...}`, nested; or their shapes.
      layer: its path, an ending that only one path has, or the path of what holds just one kernel.

    Returns:
      The path, and the kernel, (k_h, k_w, C_in, F).

    Raises:
      ValueError: no such layer, or several.

    Example:
      >>> kernel_of({"params": {"stem": {"conv": {"kernel": np.ones((3, 3, 1, 4))}}}}, "stem")[0]
      'stem/conv'
    """
    kernels = {
        "/".join(path[:-1]): leaf
        for path, leaf in flatten_dict(variables["params"]).items()
        if path[-1] == "kernel" and len(np.shape(leaf)) == 4
    }
    matches = [path for path in kernels if path == layer] or [
        path for path in kernels if path.endswith(f"/{layer}") or f"/{layer}/" in f"/{path}"
    ]
    if len(matches) != 1:
        near = did_you_mean(layer, kernels)
        raise ValueError(f"no single kernel at {layer!r}{near}; there are: {', '.join(matches or kernels)}")
    return matches[0], kernels[matches[0]]


def _smoothness(unit: np.ndarray) -> tuple[np.ndarray, int]:
    """(F,) smoothness of filters of norm one, and how many pairs of neighbours there are in all."""
    steps = [np.diff(unit, axis=axis) for axis in (0, 1) if unit.shape[axis] > 1]
    if not steps:
        return np.full(unit.shape[-1], np.nan), 0
    roughness = np.mean([np.square(step).mean((0, 1, 2)) for step in steps], 0)
    return 1 - roughness * math.prod(unit.shape[:3]) / 2, sum(step.size for step in steps)


def _nyquist(unit: np.ndarray) -> np.ndarray:
    rows, columns = (np.arange(size) for size in unit.shape[:2])
    signs = (-1.0) ** (rows[:, None] + columns)
    if signs.size == 1:
        return np.full(unit.shape[-1], np.nan)
    return np.square((signs[..., None, None] * unit).sum((0, 1))).sum(0) / signs.size


def _diversity(columns: np.ndarray) -> float:
    if columns.shape[1] == 0:
        return 0.0
    values = np.linalg.eigvalsh(np.square(columns.T @ columns) / columns.shape[1])
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _judge(
    report: KernelReport, shape: tuple[int, ...], unit: np.ndarray, dead: np.ndarray, neighbours: int
) -> Iterator[Finding]:
    weights, filters = math.prod(shape[:3]), shape[3]
    cosines = unit.reshape(weights, filters).T @ unit.reshape(weights, filters)
    for index in range(filters):

        def finding(kind: str, number: float, text: str, *others: int, index: int = index) -> Finding:
            return Finding(kind, report.layer, (index, *others), float(number), f"filter {index} {text}")

        if dead[index]:
            norm = report.norm[index]
            yield finding("dead", norm, f"is dead: its norm is {norm:.3g}, the largest {report.norm.max():.3g}")
        twins = np.flatnonzero(cosines[index, :index] >= DUPLICATE)
        if twins.size and weights >= JUDGED:
            number = cosines[index, twins[0]]
            yield finding("duplicated", number, f"repeats filter {twins[0]}: cosine {number:.4f}", int(twins[0]))
        if report.checkerboard[index] > CHECKERBOARD:
            number = report.checkerboard[index]
            yield finding("checkerboard", number, f"is a checkerboard: {100 * number:.0f} % of its energy at Nyquist")
    possible = min((~dead).sum(), weights)
    if possible >= 4 and weights >= JUDGED and report.diversity < ALIKE * possible:
        text = f"the filters are alike: {report.diversity:.1f} different ones where {possible} are possible"
        yield Finding("alike", report.layer, (), report.diversity, text)
    neighbours = neighbours * (~dead).sum() // filters
    if shape[2] <= COLOURED and neighbours and 1 / math.sqrt(neighbours) <= CERTAIN:
        error, number = 1 / math.sqrt(neighbours), float(np.nanmean(report.smoothness))
        if abs(number) < 3 * error:
            text = f"the filters look random: smoothness {number:.2f}, where random weights give 0 ± {error:.2f}"
            yield Finding("random", report.layer, (), number, text)

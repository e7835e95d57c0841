"""Test a range of learning rates: a few steps at a rate that rises exponentially, with the loss at each.

Reference: Smith, 2015, arXiv:1506.01186.
"""

import argparse
import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from convzoo import checks, plots
from train import augment, batches, plan, state, steps
from train.commands import configuration
from train.config import Config
from train.datasets import Split
from train.tasks import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTHING = 0.9
"""Decay of the moving average over the losses of the batches."""
DIVERGED = 4.0
"""Multiple of the lowest smoothed loss at which the test ends."""


class Range(NamedTuple):
    """The losses of a range test.

    Attributes:
      rates: (N,) learning rates in rising order.
      losses: (N,) of the batch before the step at each rate.
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def smoothed(self) -> np.ndarray:
        """(N,) moving averages of the losses without the bias of their start."""
        total, averages = 0.0, []
        for number, loss in enumerate(self.losses, start=1):
            total = SMOOTHING * total + (1 - SMOOTHING) * loss
            averages.append(total / (1 - SMOOTHING**number))
        return np.array(averages)

    @property
    def steepest(self) -> float:
        """The rate amid the tenth of the steps in which the smoothed loss falls most: a good peak for a run."""
        width = max(1, len(self.rates) // 10)
        falling = self.smoothed[: max(int(np.argmin(self.smoothed)), width) + 1]
        falls = falling[:-width] - falling[width:]
        return float(self.rates[int(np.argmax(falls)) + width // 2])

    @property
    def lowest(self) -> float:
        """The rate of the lowest smoothed loss, beyond which training becomes unstable."""
        return float(self.rates[int(np.argmin(self.smoothed))])


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    configuration.add(parser)
    parser.add_argument("--low", type=float, default=1e-5, help="the first rate (default: 1e-05)")
    parser.add_argument("--high", type=float, default=10.0, help="the last rate (default: 10)")
    parser.add_argument("--steps", type=int, default=100, help="batches (default: 100)")


def answer(options: argparse.Namespace) -> str:
    """Run the test, write its picture and return the rates that stand out."""
    config = configuration.read(vars(options))
    low = checks.number("low", options.low, 0, above=True)
    high = checks.number("high", options.high, low, above=True)
    result = measure(config, low, high, checks.integer("steps", options.steps, 10))
    path = Path(config.out or f"runs/{config.model}-range") / "range.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(result, plots.title(config.model, config.dataset_name)).savefig(path)
    return f"steepest descent at {result.steepest:.2g}, lowest loss at {result.lowest:.2g}\n{path}"


def measure(config: Config, low: float, high: float, number: int) -> Range:
    """Train for some steps at rising rates, from the first variables of a run, and note the losses.

    Args:
      config: of the run; its rate, schedule, accumulation and averages are not used.
      low, high: the range of rates.
      number: of steps; fewer are made where the loss diverges.

    Returns:
      A `Range`.

    Raises:
      ValueError: model, task and data do not fit together, or the loss is not finite from the start.
    """
    unused: dict[str, Any] = {
        "accumulate": 1,
        "ema": None,
        "early_stop": None,
        "transfer": None,
        "patience": Config.patience,
    }
    config = dataclasses.replace(config, schedule="constant", **unused).resolve()
    (_, dataset, data, task, _), _ = plan.prepare(config)
    variables = state.initial_state(config, data).variables
    rates = np.geomspace(low, high, number)
    optimizer = state.build_optimizer(config, lambda step: low * (high / low) ** (step / (number - 1)))
    change = augment.fit(config.augment, task.geometry, dataset.train.images)
    key = jax.random.fold_in(jax.random.key(config.seed), 1)
    train_step = steps.make_train_step(
        config.build(task.width), data.preprocess, optimizer, task, change, key, remat=config.remat
    )
    current, losses = state.create(variables, optimizer, task), []
    for batch in itertools.islice(_endless(dataset.train, config, task), number):
        current, report = train_step(current, batch)
        if not math.isfinite(loss := float(report.objective)):
            break
        losses.append(loss)
        smoothed = Range(rates[: len(losses)], np.array(losses)).smoothed
        if smoothed[-1] > DIVERGED * smoothed.min():
            break
    if len(losses) < 3:
        raise ValueError(f"low={low:g}: the loss diverges from the start, expected a lower rate")
    return Range(rates[: len(losses)], np.array(losses))


def _endless(split: Split, config: Config, task: Task) -> Iterator[batches.Batch]:
    """The batches of one epoch after the other."""
    for epoch in itertools.count():
        visits = batches.epoch_order(split, config.batch_size, task.images_per_label, config.seed, epoch)
        yield from batches.batches(split, visits, config.batch_size, target=task.target)


def draw(result: Range, title: str) -> "Figure":
    """Draw the losses over the rates, and mark the steepest descent."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(6, 3.6), dpi=150, layout="constrained")
        figure.suptitle(f"{title}: learning-rate range test", x=0.01, ha="left", fontsize=11, fontweight="bold")
        axes = figure.subplots()
        plots.lines(axes, result.rates, {"smoothed loss": result.smoothed})
        axes.plot(result.rates, result.losses, ".", color=plots.PALETTE["rule"], zorder=0, label="loss of a batch")
        axes.axvline(result.steepest, color=plots.PALETTE["second"], linestyle=":")
        axes.annotate(
            f"steepest at {result.steepest:.2g}",
            (result.steepest, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -10),
            textcoords="offset points",
            color=plots.PALETTE["second"],
        )
        axes.set_xscale("log")
        top = 1.5 * float(result.smoothed[0])
        axes.set(xlabel="learning rate", ylabel="loss", ylim=(0, max(top, 1.1 * float(result.smoothed.min()))))
        axes.legend(loc="lower left")
    return figure

"""Timing: programs compiled ahead, runs taking turns, medians."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax

Run = Callable[[], float]


def compiled(function: Callable, *operands: Any, donate: tuple[int, ...] = ()) -> tuple[Callable, float]:
    """A function compiled for these operands, and the seconds that took; `donate`: operands whose memory it takes."""
    start = time.perf_counter()
    program = jax.jit(function, donate_argnums=donate).lower(*operands).compile()
    return program, time.perf_counter() - start


def stopwatch(function: Callable[[], Any]) -> Run:
    """A function that runs another once, to the end, and returns its seconds; it has run once before."""

    def run() -> float:
        start = time.perf_counter()
        jax.block_until_ready(function())
        return time.perf_counter() - start

    run()
    return run


def timed(function: Callable, *operands: Any) -> tuple[Run, float]:
    """One timed run of a function that is compiled here, and the seconds that its compilation took."""
    program, seconds = compiled(function, *operands)
    return stopwatch(lambda: program(*operands)), seconds


def medians(runs: dict[str, Run], budget: float) -> dict[str, float]:
    """Median seconds of each contender, taking turns; a slow one sits out some rounds, to keep to the budget.

    Args:
      runs: by name, a function that runs once and returns its seconds.
      budget: seconds for each contender.
    """
    first = {name: run() for name, run in runs.items()}
    rounds = {name: max(1, min(25, int(budget / seconds))) for name, seconds in first.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs)
    for turn in range(max(rounds.values())):
        for name in order:
            if turn < rounds[name]:
                time.sleep(0.02)  # the threads of the one before spin for a while after their work
                times[name].append(runs[name]())
        order.append(order.pop(0))
    return {name: statistics.median(values) for name, values in times.items()}


def geometric_mean(ratios: Sequence[float]) -> float:
    """Of at least one ratio."""
    return math.prod(ratios) ** (1 / len(ratios))


def print_means(rows: Sequence[dict[str, float]]) -> None:
    """Print the geometric mean and the worst of our times over PyTorch's.

    Args:
      rows: of a table, {direction: ratio}; without PyTorch, empty ones.
    """
    for direction in dict.fromkeys(direction for row in rows for direction in row):
        ratios = [row[direction] for row in rows]
        print(f"{direction}: geometric mean over PyTorch {geometric_mean(ratios):.2f}, worst {max(ratios):.2f}")

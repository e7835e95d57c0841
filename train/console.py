"""The terminal of a run: progress on stderr, and signals."""

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from train.batches import number_of_batches
from train.config import Config
from train.datasets import Dataset
from train.tasks import Column

NAMES = {"train": "training", "validation": "validation", "test": "test"}
"""The splits of a data set, as they are called in a line of text."""

WAITING = 0.05
"""Share of an epoch's steps spent on waiting for data that a line tells: less is of no use to know."""

T = TypeVar("T")

LISTED_CLASSES = 20
"""Number of classes whose names and counts are listed at the start of a run."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop, and has saved its state.

    Attributes:
      signal: number of the signal that asked for it.
    """

    def __init__(self, signal: int, message: str = ""):
        super().__init__(message)
        self.signal = signal


class Interrupts:
    """A context in which SIGINT and SIGTERM wait until it is safe to stop; a second one stops at once."""

    def __init__(self):
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        # Python lets only the main thread set handlers.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _) -> None:
        self._received = number
        self.__exit__()

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self._received is not None:
            raise Interrupted(self._received)


class Pace:
    """The speed of training; the first step of a process is not counted, because it is compiled."""

    def __init__(self):
        self._compiled = False
        self.start()

    def start(self) -> None:
        """Begin an epoch."""
        self._began = self._counted = self._last = time.monotonic()
        self._images, self._waited = 0, 0.0

    def waiting(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches, and count the time until each is there."""
        while True:
            asked = time.monotonic()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self._waited += time.monotonic() - asked
            yield batch

    def data_wait(self) -> float:
        """Share of the epoch's time until its last step, in [0, 1], that was spent on waiting for data."""
        return min(1.0, self._waited / max(self._last - self._began, 1e-9))

    def left(self, epochs: int) -> float:
        """Seconds that so many epochs take, if they take as long as this one from its start until now."""
        return epochs * (time.monotonic() - self._began)

    def step(self, images: int) -> None:
        """Count the images of a finished step."""
        self._last = time.monotonic()
        if self._compiled:
            self._images += images
        else:
            self._compiled, self._counted = True, self._last

    def images_per_second(self) -> float | None:
        """Images a second over the steps of the epoch; None before a second step."""
        return self._images / (self._last - self._counted) if self._images else None

    def figures(self) -> dict[str, float | None]:
        """Seconds of the epoch so far, compilation and evaluation included, images a second, and share of waiting."""
        rate = self.images_per_second()
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "images_per_second": None if rate is None else round(rate, 1),
            "data_wait": round(self.data_wait(), 4),
        }


class Progress:
    """A progress bar where stderr is a terminal, and a line an epoch everywhere.

    Args:
      config: of the run.
      images: number of training images.
      columns: the figures to show.
      quiet: show nothing.
    """

    def __init__(self, config: Config, images: int, columns: Sequence[Column], quiet: bool = False):
        self._config, self._images, self._columns, self._quiet = config, images, columns, quiet
        self._bar: tqdm | None = None
        self.pace = Pace()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.close()

    def describe(self, dataset: Dataset) -> None:
        """Show the size and the classes of a data set."""
        shape = "×".join(map(str, dataset.image_shape))
        *others, test = [f"{len(split):,} {NAMES[name]}" for name, split in dataset.splits.items()]
        self.say(f"{dataset.name}: {', '.join(others)} and {test} images of {shape}")
        if dataset.note:
            self.say(dataset.note)
        if dataset.classes:
            splits = [np.bincount(split.labels, minlength=len(dataset.classes)) for split in dataset.splits.values()]
            counts = [
                f"{name} {'+'.join(map(str, each))}" for name, *each in zip(dataset.classes, *splits, strict=True)
            ]
            more = f", and {len(counts) - LISTED_CLASSES} more" if len(counts) > LISTED_CLASSES else ""
            names = "+".join(NAMES[name] for name in dataset.splits)
            self.say(f"{len(counts)} classes, {names}: {', '.join(counts[:LISTED_CLASSES])}{more}")

    def start(self, epoch: int, step: int) -> None:
        """Show the progress so far, while its first step is compiled."""
        if step:
            self.say(f"going on at step {step}, in epoch {epoch + 1} of {self._config.epochs}")
        within = step - epoch * number_of_batches(self._images, self._config.batch_size)
        self._bar = tqdm(
            total=self._images * self._config.epochs,
            initial=epoch * self._images + min(within * self._config.batch_size, self._images),
            desc="compiling ",
            unit=" images",
            bar_format="{desc}|{bar}| {percentage:3.0f} % · {rate_fmt} · {remaining} left{postfix}",
            disable=self._quiet or not sys.stderr.isatty(),
            dynamic_ncols=True,
            leave=False,
        )

    def step(self, epoch: int, images: int, figures: Mapping[str, float]) -> None:
        """Count a batch of an epoch, itself counted from 0; its figures are those of the epoch so far."""
        self.pace.step(images)
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {epoch + 1}/{self._config.epochs} ", refresh=False)
            self._bar.set_postfix_str(self._listed(figures, " · "), refresh=False)
            self._bar.update(images)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Write the figures of an epoch in one line."""
        figures = " · ".join(f"{split} {self._listed(row[split], ', ')}" for split in NAMES if split in row)
        width = len(str(self._config.epochs))
        rate = self.pace.images_per_second()
        wait = self.pace.data_wait()
        left = self.pace.left(self._config.epochs - row["epoch"])
        rest = [f"{wait:.0%} waiting for data"] * (wait > WAITING)
        rest += [f"{tqdm.format_interval(left)} left"] * (left >= 1)
        rest += [] if rate is None else [f"{rate:,.0f} images/s"]
        self.say(" · ".join([f"epoch {row['epoch']:>{width}}/{self._config.epochs}", figures, *rest]))

    def _listed(self, figures: Mapping[str, float], separator: str) -> str:
        return separator.join(f"{column.name} {figures[column.name]:{column.format}}" for column in self._columns)

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        if not self._quiet:
            tqdm.write(line, file=sys.stderr)

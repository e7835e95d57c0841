"""`train.run` against an equal plain PyTorch loop: whole epochs, data and all, without the evaluation.

Images a second are those of the trainer's own `timing.jsonl`. Both sides shuffle an array in memory,
normalize batches, and step with momentum and weight decay; ours without augmentation, and once more with it.
"""

import dataclasses
import json
import pathlib
import statistics
import tempfile

import numpy as np

import train
from tests.benchmarks import memory
from tests.benchmarks.contenders import Torch
from tests.benchmarks.timing import geometric_mean, medians
from train.datasets import Dataset, Split
from zoo import catalog

AUGMENT = ("shift", "flip", "colour")


@dataclasses.dataclass(frozen=True)
class Work:
    """Epochs of a network on (size, size) images, of noise, which costs as much as pictures.

    Attributes:
      model: in the catalogue.
      batch: images a step.
      images: images an epoch.
      size: height and width.
    """

    model: str
    batch: int
    images: int = 1536
    size: int = 32

    @property
    def name(self) -> str:
        """Of the row."""
        return f"{self.model} {self.batch}·{self.size}²"


WORKS = [
    Work("lenet5", 64, images=12_800),
    Work("lenet5", 128, images=12_800),
    Work("resnet20", 64),
    Work("resnet20", 128),
    Work("resnet18", 32, images=160, size=128),
]
NAMES = [work.name for work in WORKS]


def dataset(work: Work) -> Dataset:
    """Noise with the labels in turn."""
    shape = (work.size, work.size, catalog.variant(work.model).input_shape[-1])
    images = np.random.default_rng(0).random((work.images, *shape), np.float32)
    labels = np.arange(work.images, dtype=np.int32) % 10
    few = work.batch
    return Dataset("noise", Split(images, labels), Split(images[:few], labels[:few]), tuple(map(str, range(10))))


def epochs(work: Work, augment: tuple[str, ...] = (), count: int = 3) -> tuple[float, float]:
    """Median seconds of an epoch after the first, and the median share of waiting for data."""
    with tempfile.TemporaryDirectory() as out:
        train.run(
            train.Config(
                work.model,
                dataset=dataset(work),
                out=out,
                epochs=count,
                batch_size=work.batch,
                learning_rate=0.01,
                augment=augment,
            ),
            quiet=True,
        )
        rows = [json.loads(line) for line in (pathlib.Path(out) / "timing.jsonl").read_text().splitlines()][1:]
    median = lambda name: statistics.median(row[name] for row in rows)  # noqa: E731
    return work.images / median("images_per_second"), median("data_wait")


def once(row: str) -> None:
    """Train for two epochs."""
    epochs(next(work for work in WORKS if work.name == row), count=2)


def compare(work: Work, torch: Torch, budget: float) -> tuple[str, float | None]:
    """One row of the table, and our time over PyTorch's."""
    waits: list[float] = []

    def plain() -> float:
        seconds, wait = epochs(work)
        waits.append(wait)
        return seconds

    request = dataclasses.asdict(work)
    runs = {"ours": plain, "augmented": lambda: epochs(work, AUGMENT)[0]}
    if torch.version:
        runs["torch"] = torch.prepare(request)
    times = medians(runs, budget)
    augmentation = times["augmented"] / times["ours"] - 1
    row = (
        f"{work.name:<20} | {work.images / times['ours']:9.0f} {statistics.median(waits):9.1%} {augmentation:12.1%} "
        f"{memory.peak('training', work.name):5.2f}"
    )
    if "torch" not in times:
        return row, None
    ratio = times["ours"] / times["torch"]
    return f"{row} | {work.images / times['torch']:9.0f} {ratio:6.2f} {torch.memory(request):5.2f}", ratio


def table(only: str, torch: Torch, budget: float) -> None:
    """Print a row for each network and batch: images a second, waiting, what augmentation adds, and peak memory."""
    print(f"epochs of training, float32; augmentation: {', '.join(AUGMENT)}\n")
    ours = f"{'images/s':>9} {'data wait':>9} {'augmentation':>12} {'GiB':>5}"
    print(f"{'':<20} | {ours} | {'torch':>9} {'ratio':>6} {'GiB':>5}")
    ratios = []
    for work in WORKS:
        if only in work.name:
            row, ratio = compare(work, torch, budget)
            print(row, flush=True)
            ratios += [] if ratio is None else [ratio]
    if ratios:
        print(f"geometric mean of our time over PyTorch's: {geometric_mean(ratios):.2f}")

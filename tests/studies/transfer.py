"""Strategies of transfer against training from scratch: `python -m tests.studies.transfer`.

Pre-trains a network on the digits 0 to 4, and transfers it to the digits 5 to 9 with few and with many images of each
class, by every strategy, by linear heads on its features, and from scratch; several seeds. A run that is in the folder
already is not trained again.
"""

import argparse
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import train
from train import transfer
from train.datasets import Dataset, Split, digits

MODEL: dict[str, Any] = {
    "model": "coordinate_regressor",
    "fields": {"widths": (16, 32, 32), "coordinates": False},
    "optimizer": "adamw",
}
OLD, NEW = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
SCRATCH, LINEAR = "from scratch", ("logistic", "svm")
STRATEGIES = (*transfer.STRATEGIES, "cut:stage1")
LAYERS = ["stage1", "stage2", "stage3"]


class Size(NamedTuple):
    """How much is computed.

    Attributes:
      side: of the digits in pixels.
      pretraining: epochs on the old digits.
      updates: of each transfer, whatever the number of images.
      images: of each new class, few and many.
    """

    side: int = 16
    pretraining: int = 30
    updates: int = 150
    images: tuple[int, ...] = (10, 100)


def part(classes: Sequence[int], side: int, images: int | None = None, seed: int = 0) -> Dataset:
    """The digits of some classes, with the first so many training images of each in an order of the seed."""
    data = digits.load(side)
    splits = []
    for split, limit in ((data.train, images), (data.test, None)):
        order = np.random.default_rng(seed).permutation(len(split)) if limit else np.arange(len(split))
        rows = np.concatenate([order[split.labels[order] == label][:limit] for label in classes])
        splits.append(Split(split.images[rows], np.searchsorted(classes, split.labels[rows]).astype(np.int32)))
    return Dataset(f"digits {classes[0]}-{classes[-1]}", *splits, tuple(map(str, classes)))


def accuracy(out: Path, **settings: Any) -> float:
    """Test accuracy of a run."""
    return train.run(train.Config(**MODEL | {"out": str(out), "augment": ()} | settings), quiet=True).test["accuracy"]


def study(out: Path, seed: int, size: Size) -> dict[tuple[str, int], float]:
    """Test accuracy on the new digits, by strategy and images of each class."""
    old = out / f"old-{seed}"
    accuracy(old, dataset=part(OLD, size.side), epochs=size.pretraining, seed=seed)
    trained = train.load(old)
    reached = {}
    for images in size.images:
        data = part(NEW, size.side, images, seed)
        batch = max(10, len(data.train) // 10)
        epochs = -(-size.updates // -(-len(data.train) // batch))
        shared: dict[str, Any] = {"dataset": data, "batch_size": batch, "epochs": epochs, "seed": seed}
        reached[SCRATCH, images] = accuracy(out / f"scratch-{images}-{seed}", **shared)
        for strategy in STRATEGIES:
            name = f"{strategy.replace(':', '-')}-{images}-{seed}"
            reached[strategy, images] = accuracy(out / name, **shared, from_=str(old), transfer=strategy)
        read = functools.partial(transfer.features, trained.model, trained.variables, layers=LAYERS)
        few, test = (read(split.images, preprocess=trained.preprocess) for split in (data.train, data.test))
        for kind in LINEAR:
            head = transfer.linear_head(few, data.train.labels, kind, strength=0.1)
            reached[f"{kind} on {', '.join(LAYERS)}", images] = head.score(test, data.test.labels)
    return reached


def markdown(trials: Sequence[dict[tuple[str, int], float]], images: Iterable[int]) -> str:
    """A row for each strategy: mean, and lowest and highest of the seeds, in percent."""
    lines = [
        "| strategy | " + " | ".join(f"{count} a class" for count in images) + " |",
        "|---" + "|--:" * len([*images]) + "|",
    ]
    for strategy in dict.fromkeys(name for name, _ in trials[0]):
        cells = []
        for count in images:
            values = 100 * np.array([trial[strategy, count] for trial in trials])
            cells.append(f"{values.mean():.1f} ({values.min():.1f} to {values.max():.1f})")
        lines.append(f"| {strategy} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.transfer", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    size, trials = Size(), []
    for seed in options.seeds:
        trials.append(study(options.out, seed, size))
        print(f"after seed {seed}\n\n{markdown(trials, size.images)}\n", flush=True)


if __name__ == "__main__":
    main()

"""Write a data set as class folders of PNG files, to look at its images or to try what reads folders."""

import argparse
from pathlib import Path

import numpy as np

from convzoo import checks
from train import datasets
from train.datasets import Dataset
from train.options import OPTIONS

SIZE = 32
"""Height and width in pixels by default."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("dataset", help=OPTIONS["dataset"].help)
    parser.add_argument("folder", type=Path, help="new or empty; gets SPLIT/CLASS/NUMBER.png")
    parser.add_argument("--size", type=int, default=SIZE, help=f"height and width in pixels (default: {SIZE})")
    parser.add_argument("--data-dir", help=OPTIONS["data_dir"].help)


def answer(options: argparse.Namespace) -> str:
    """Write the pictures and count them."""
    OPTIONS["dataset"].check("dataset", options.dataset)
    checks.integer("size", options.size)
    folder = options.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"folder={str(folder)!r}: expected a new or an empty folder")
    return unpack(datasets.load(options.dataset, options.size, data_dir=options.data_dir), folder)


def unpack(dataset: Dataset, folder: Path) -> str:
    """Write a data set as `folder/SPLIT/CLASS/NUMBER.png`, eight bits a channel.

    Args:
      dataset: with classes, and images of 1, 3 or 4 channels.
      folder: where to.

    Returns:
      The number of pictures in each split.

    Raises:
      ValueError: images without classes, class names that are no names of folders, or other channels.
    """
    from PIL import Image

    channels = dataset.train.images.shape[-1]
    if not dataset.classes:
        raise ValueError(f"{dataset.name} has no classes: expected a data set for classification")
    if channels not in (1, 3, 4):
        raise ValueError(f"images of {channels} channels: expected 1, 3 or 4")
    for name in dataset.classes:
        if Path(name).name != name or name.startswith("."):
            raise ValueError(f"class {name!r}: expected a name that a folder can have")
    for split_name, split in dataset.splits.items():
        for name in dataset.classes:
            (folder / split_name / name).mkdir(parents=True, exist_ok=True)
        for number, label in enumerate(split.labels):
            image = np.round(255 * split.images[number]).astype(np.uint8)
            picture = Image.fromarray(image[..., 0] if channels == 1 else image)
            picture.save(folder / split_name / dataset.classes[label] / f"{number:05}.png")
    counts = ", ".join(f"{len(split):,} in {name}" for name, split in dataset.splits.items())
    return f"{folder}: {counts}, of {len(dataset.classes)} classes"

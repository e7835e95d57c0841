"""Draw a contact sheet: images of a data set beside what augmentation makes of them."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from convzoo import checks, plots
from train import augment, datasets
from train.batches import Batch, order
from train.config import Config
from train.datasets import Dataset
from train.options import OPTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS, COLUMNS = 6, 7
"""Images of a sheet, and changes of each."""
LARGEST = 128
"""Size in pixels of a sheet's images by default, unless the data set's own is smaller."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    default = Config.augment
    parser.add_argument("dataset", help=OPTIONS["dataset"].help)
    augmentations = OPTIONS["augment"]
    parser.add_argument(
        "--augment",
        type=augmentations.parse,
        default=default,
        metavar="AUGMENT",
        help=f"{augmentations.help} (default: {','.join(default)})",
    )
    parser.add_argument("--size", type=int, help="height and width in pixels; default: that of the data set")
    parser.add_argument("--seed", type=int, default=0, help="draws images and changes (default: 0)")
    parser.add_argument("--data-dir", help=OPTIONS["data_dir"].help)
    parser.add_argument("--out", type=Path, help="the picture; default: runs/show/DATASET.png")


def answer(options: argparse.Namespace) -> str:
    """Write the picture and return its path."""
    for name in ("dataset", "augment", "seed"):
        OPTIONS[name].check(name, getattr(options, name))
    size = options.size
    if size is None:
        size = min(datasets.largest_default_size(options.dataset) or LARGEST, LARGEST)
    checks.integer("size", size)
    dataset = datasets.load(options.dataset, size, data_dir=options.data_dir)
    kind, _, rest = options.dataset.partition(":")
    path = options.out or Path("runs/show") / f"{Path(rest or kind).name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet(dataset, options.augment, options.seed).savefig(path)
    return str(path)


def sheet(dataset: Dataset, names: Sequence[str], seed: int = 0) -> "Figure":
    """Draw training images, each in a row with its augmented versions, with the shares of mixed classes.

    Args:
      dataset: of the images.
      names: of the augmentations.
      seed: draws images and changes.

    Returns:
      A figure that belongs to no window, to be saved.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = order(len(dataset.train), seed, 0)[:ROWS]
    split = dataset.train.rows(rows)
    labels = split.labels if len(split.labels) else np.zeros(len(split), np.int32)
    original = Batch(split.images, labels, np.ones(len(split), np.float32))
    change = jax.jit(augment.fit(names, "none", dataset.train.images))
    batches = [
        original,
        *(change(jax.random.fold_in(jax.random.key(seed), number), original) for number in range(COLUMNS)),
    ]
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(1.15 * len(batches), 1.4 * len(rows) + 0.5), dpi=150, layout="constrained")
        title = f"{dataset.name}: as loaded, and {', '.join(names) or 'unchanged'}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        grid = figure.subplots(len(rows), len(batches), squeeze=False)
        for column, batch in enumerate(batches):
            for row, image in enumerate(np.asarray(batch.images)):
                axes = grid[row, column]
                axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.set_xlabel(_caption(batch, row, dataset.classes), fontsize=6, labelpad=2)
    return figure


def _caption(batch: Batch, row: int, classes: Sequence[str]) -> str:
    """The class of an image, or its two classes with their shares."""
    if not classes:
        return ""
    first = classes[int(batch.targets[row])]
    if batch.other is None:
        return first
    share = round(100 * float(batch.share[row]))
    return f"{first} {share} %\n{classes[int(batch.other[row])]} {100 - share} %"

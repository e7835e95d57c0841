"""Arguments that commands share: the model, its images, and the file to write."""

import argparse
from pathlib import Path
from typing import Any

from analysis.commands.source import Source


def add_source(parser: argparse.ArgumentParser, count: int | None = 8) -> None:
    """Add the arguments for the model, its images and the file to write.

    Args:
      parser: of one command.
      count: images by default; None: the command needs none.
    """
    parser.add_argument("run", nargs="?", type=Path, help="a run directory of `python -m train`")
    parser.add_argument("--model", help="instead of RUN: a name of `python -m zoo list`")
    parser.add_argument(
        "--weights",
        help="of the model: .safetensors, .pth, or a file of zoo.save (default: the published ones)",
    )
    add_which(parser)
    if count is not None:
        parser.add_argument(
            "--image",
            type=Path,
            nargs="+",
            action="extend",
            metavar="FILE",
            help="pictures instead of the run's test images, such as chelsea.png of scikit-image",
        )
        parser.add_argument("--images", type=integers, metavar="0,5,7", help="which of the images, by number")
        parser.add_argument("--count", type=int, default=count, help="else the first ones (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default: %(default)s)")
    parser.add_argument(
        "--batch-size", type=int, default=32, metavar="N", help="images held at once (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.png", help="the figure (default: in RUN/analysis/)")


def add_which(parser: argparse.ArgumentParser) -> None:
    """Add the choice between raw weights and their moving average."""
    parser.add_argument("--which", choices=("raw", "ema"), help="of the weights in a file that has both")


def integers(text: str) -> tuple[int, ...]:
    """Numbers joined by commas.

    Example:
      >>> integers("0,5,7")
      (0, 5, 7)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected integers joined by commas, such as 0,5,7") from None


def names(text: str) -> tuple[str, ...]:
    """Names joined by commas.

    Example:
      >>> names("stem,stage1")
      ('stem', 'stage1')
    """
    return tuple(part.strip() for part in text.split(","))


def figure_path(options: Any, source: Source, name: str) -> Path:
    """The path of the figure.

    Raises:
      ValueError: a name that is not of a picture that can be drawn.
    """
    path = options.out or source.folder / f"{name.replace('/', '-')}.png"
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"out={str(path)!r}: expected a name that ends in .png or .svg")
    return path

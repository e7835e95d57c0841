"""What commands share on the command line."""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

from analysis.commands.source import Source


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and leave with 2."""
        print(f"error: {message}; `{self.prog} --help` lists all options", file=sys.stderr)
        raise SystemExit(2)


def add_source(parser: argparse.ArgumentParser, count: int | None = 8) -> None:
    """Where the model and the images come from, and where the answer goes.

    Args:
      parser: of one command.
      count: images by default; None: the command needs none.
    """
    parser.add_argument("run", nargs="?", type=Path, help="a run directory of `python -m train`")
    parser.add_argument("--model", help="instead of RUN: a name of `python -m zoo list`")
    parser.add_argument(
        "--weights",
        help="of the model: .safetensors, .pth, or a file of zoo.save (default: the published ones, downloaded)",
    )
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


def figure_path(given: Any, source: Source, name: str) -> Path:
    """Where the figure goes.

    Raises:
      ValueError: a name that is not of a picture that can be drawn.
    """
    path = given.out or source.folder / f"{name.replace('/', '-')}.png"
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"out={str(path)!r}: expected a name that ends in .png or .svg")
    return path

"""`python -m analysis report`: one HTML page about a trained model."""

import argparse
from pathlib import Path
from typing import Any

from analysis import report
from analysis.commands.joined import Joined


def add(commands: Any) -> argparse.ArgumentParser:
    """The parser."""
    parser = commands.add_parser("report", help="one HTML page: metrics, mistakes, maps, robustness")
    parser.add_argument("run", type=Path, help="a run directory of `python -m train`")
    parser.add_argument("--out", type=Path, help="the file to write (default: RUN/report/index.html)")
    default = report.Settings()
    parser.add_argument("--attacked", type=int, default=default.attacked, help="images attacked (default: %(default)s)")
    parser.add_argument(
        "--steps", type=int, default=default.steps, help="of PGD for the adversarial examples (default: %(default)s)"
    )
    parser.add_argument(
        "--nearest-steps",
        type=int,
        default=default.nearest_steps,
        help="of the search for the nearest adversarial images (default: %(default)s)",
    )
    parser.add_argument(
        "--patch-steps", type=int, default=default.patch_steps, help="of the patch's training (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="of all that is drawn (default: %(default)s)")
    return parser


def answer(joined: Joined, options: argparse.Namespace, command: str) -> list[Path]:
    """Examine a run and write its page.

    Args:
      joined: functions of other packages.
      options: of the command line.
      command: the whole line, for the page.

    Returns:
      The path written.

    Raises:
      ValueError: a run that cannot be read, or a setting out of range.
    """
    counts = {name: getattr(options, name) for name in ("attacked", "steps", "nearest_steps", "patch_steps", "seed")}
    settings = report.Settings(**counts)
    subject = joined.subject(options.run, command)
    return [report.write(subject, options.out or options.run / "report" / "index.html", settings)]

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
    parser.add_argument("--steps", type=int, default=default.steps, help="steps of PGD (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="of PGD's random starts (default: %(default)s)")
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
    settings = report.Settings(attacked=options.attacked, steps=options.steps, seed=options.seed)
    subject = joined.subject(options.run, command)
    return [report.write(subject, options.out or options.run / "report" / "index.html", settings)]

"""Reports: one self-contained HTML page about one classifier, with its metrics, mistakes, maps and robustness.

subject = report.Subject(title="my model", classes=..., images=..., labels=..., logits_fn=...)
report.write(subject, "report/index.html")
"""

import os
import pathlib
from collections.abc import Callable

from analysis.report.document import examine, page
from analysis.report.findings import Findings
from analysis.report.settings import Settings
from analysis.report.subject import Subject
from convzoo import files
from convzoo.commands import say

__all__ = ["Findings", "Settings", "Subject", "examine", "page", "write"]


def write(
    subject: Subject,
    path: str | os.PathLike,
    settings: Settings | None = None,
    log: Callable[[str], None] = say,
) -> pathlib.Path:
    """Examine a classifier and write the page; the same subject and settings give the same bytes.

    Args:
      subject: the classifier, its test images and the record of its training.
      path: of the HTML file; its directory is made.
      settings: how much is examined; None: the defaults.
      log: called with a line at each step.

    Returns:
      The path written.

    Raises:
      ValueError: images, labels and classes that do not fit each other.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)  # a path that cannot be written fails before minutes of work
    return files.write(path, page(subject, examine(subject, settings or Settings(), log)))

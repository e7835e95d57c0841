"""One self-contained HTML page about one classifier: how well it does, where it looks, how easily it is fooled.

subject = report.Subject(title="my model", classes=..., images=..., labels=..., logits_fn=...)
report.write(subject, "report/index.html")
"""

import os
import pathlib
from collections.abc import Callable

from analysis.report.findings import Findings, examine
from analysis.report.page import page
from analysis.report.settings import Settings
from analysis.report.subject import Subject

__all__ = ["Findings", "Settings", "Subject", "examine", "page", "write"]


def write(
    subject: Subject,
    path: str | os.PathLike,
    settings: Settings | None = None,
    log: Callable[[str], None] = print,
) -> pathlib.Path:
    """Examine a classifier and write the page; the same subject and settings give the same bytes.

    Args:
      subject: the classifier, its test images and what is known of its training.
      path: of the HTML file; its directory is made.
      settings: how much is examined; None: the defaults.
      log: told what is being done, a line at a time.

    Returns:
      The path written.

    Raises:
      ValueError: images, labels and classes that do not fit each other.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)  # what cannot be written is to be known before the minutes of work
    text = page(subject, examine(subject, settings or Settings(), log))
    # A reader never meets half a page.
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path

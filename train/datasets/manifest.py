"""Manifests: a CSV file that says the class, and perhaps the split, of each picture of a folder."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from convzoo.checks import did_you_mean

NAME = "manifest.csv"
COLUMNS = ("file", "class", "split")
"""The last may be left out; further columns are ignored."""
LISTED = 5
"""Wrong rows that an error lists."""


class Row(NamedTuple):
    """A row of a manifest.

    Attributes:
      line: its number in the file.
      file, label, split: its entries; empty where there are none.
    """

    line: int
    file: str
    label: str
    split: str


def read(path: Path, name: str, splits: Sequence[str]) -> dict[str, dict[str, list[Path]]]:
    """The pictures of each split and class; where no row has a split, all are of the first.

    Args:
      path: of the CSV file, in UTF-8, with a row of column names; files are relative to its folder.
      name: of the data set, for errors.
      splits: the names of splits, that for training first.

    Returns:
      {split: {class: files}}, classes and files sorted.

    Raises:
      ValueError: a missing column, rows with the number of their line (a file that is missing or named twice, no class,
        an unknown split), fewer than two classes, or splits without one to train or to test on.
    """
    rows = _rows(path, name)
    split_at_all = any(row.split for row in rows)
    content: dict[str, dict[str, list[Path]]] = {}
    wrong: list[str] = []
    lines: dict[str, int] = {}
    for row in rows if split_at_all else [row._replace(split=splits[0]) for row in rows]:
        if fault := _fault(path.parent, row, splits, lines):
            wrong.append(f"line {row.line}: {fault}")
        else:
            content.setdefault(row.split, {}).setdefault(row.label, []).append(path.parent / row.file)
        lines.setdefault(row.file, row.line)
    if wrong:
        more = f"; and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
        raise ValueError(f"{name}: {path.name}, {'; '.join(wrong[:LISTED])}{more}")
    if split_at_all and (splits[0] not in content or len(content) < 2):
        missing = splits[1] if splits[0] in content else splits[0]
        raise ValueError(f"{name}: {path.name} has no row of split {missing!r}: expected both, or no splits at all")
    if len(classes := content.get(splits[0], {})) < 2:
        raise ValueError(f"{name}: {path.name} has {len(classes)} class(es) to train: expected at least 2")
    return {
        split: {label: sorted(files) for label, files in sorted(content[split].items())}
        for split in splits
        if split in content
    }


def _rows(path: Path, name: str) -> list[Row]:
    """The rows below that of the names."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [*(reader.fieldnames or ())]
            for column in COLUMNS[:2]:
                if column not in columns:
                    hint = did_you_mean(column, columns).replace("did you mean", "but it has")
                    raise ValueError(
                        f"{name}: {path.name} has no column {column!r}{hint}: expected file,class or file,class,split"
                    )
            return [Row(reader.line_num, *((row.get(column) or "").strip() for column in COLUMNS)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name}: {path.name} cannot be read: {error}") from None


def _fault(folder: Path, row: Row, splits: Sequence[str], lines: dict[str, int]) -> str:
    """The fault of a row, or an empty string."""
    if not row.file or not row.label:
        return f"no {COLUMNS[0] if not row.file else COLUMNS[1]}"
    if row.split not in splits:
        return f"split {row.split!r}{did_you_mean(row.split, splits)}: expected one of {', '.join(splits)}"
    if row.file in lines:
        return f"{row.file} is in line {lines[row.file]} already"
    return "" if (folder / row.file).is_file() else f"no such file {row.file}"

"""The gallery in the README is the one that its command writes."""

import re
from pathlib import Path

from tests.benchmarks import gallery
from zoo import layers

PARTS = {"Branches", "ConvNorm", "NormConv"}  # what blocks are made of
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_readme_holds_the_rows_as_they_are_computed():
    assert f"{gallery.START}\n\n{gallery.table()}\n\n{gallery.END}" in README


def test_every_kind_of_layer_has_a_row_and_a_picture():
    kinds = {name for name in layers.__all__ if name[0].isupper() and hasattr(getattr(layers, name), "setup")}
    shown = {re.split(r"\W", name)[0] for name, *_ in gallery.ROWS}
    assert kinds - shown == PARTS, "a layer without a row"
    for name, *_ in gallery.ROWS:
        assert (ROOT / "docs" / "gallery" / gallery.file_name(name)).exists()

"""The gallery in the README is the one that its command writes."""

import re
from pathlib import Path

import numpy as np
import pytest

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
    pictures = {path.name for path in (ROOT / "docs" / "gallery").glob("*.svg")}
    assert pictures == {gallery.file_name(name) for name, *_ in gallery.ROWS if name not in gallery.SHARED}


@pytest.mark.parametrize(("name", "pixels"), [("Conv", 9), ("PointwiseConv", 1), ("SqueezeExcite", 17**2)])
def test_a_picture_shows_every_pixel_that_the_output_depends_on(name, pixels):
    drawn = (ROOT / "docs" / "gallery" / gallery.file_name(name)).read_text()
    assert drawn.count("fill-opacity") == pixels


def test_patterns_are_alike_where_no_pixel_differs_much():
    one = np.zeros((5, 5))
    one[1:4, 1:4] = 1
    assert gallery.alike(one, 0.95 * one)
    assert gallery.alike(one, np.roll(one, 1, axis=0)), "elsewhere"
    assert not gallery.alike(one, one * np.array([1, 1, 1, 0.5, 1])), "weaker at some pixels"
    assert not gallery.alike(one, one * np.array([1, 1, 1, 0, 1])), "other pixels"
    patterns = {"Conv": one, "PointwiseConv": np.eye(1), "CoordConv": 0.95 * one, "CBAM": np.eye(5)}
    assert gallery.shared(patterns) == {"CoordConv": "Conv"}


@pytest.mark.slow
def test_layers_share_a_picture_where_their_patterns_are_alike():
    assert gallery.shared({name: gallery.pattern(layer) for name, _, layer in gallery.LAYERS}) == gallery.SHARED

import matplotlib.artist as plt
import pytest

from analysis import draw
from train import curves
from train.tasks import Classification

COLUMNS = Classification.columns
ROWS = [
    {"epoch": epoch, "train": {"loss": 2.0 / epoch, "accuracy": 0.5}, "test": {"loss": 1.0 / epoch, "accuracy": 0.6}}
    for epoch in (1, 2, 3)
]


def test_both_splits_are_drawn_over_the_epochs():
    loss, accuracy = curves.draw(ROWS, COLUMNS, "lenet5 on digits", {"train": 20, "test": 360}).axes
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2, 3]] * 2
    assert loss.lines[0].get_ydata().tolist() == [2.0, 1.0, 2.0 / 3]
    assert accuracy.lines[1].get_ydata().tolist() == [60.0] * 3
    assert accuracy.get_ylabel() == "accuracy (%)"
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train  50 %", "test  60.0 %"]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["train  0.6667", "test  0.3333"]


def test_colours_dashes_and_markers_are_those_of_a_report():
    own, other = curves.draw(ROWS, COLUMNS, "").axes[0], draw.curves({"train": [2.0, 1.0], "test": [1.0, 0.5]}).axes[0]
    for line, reported in zip(own.lines, other.lines, strict=True):
        for trait in ("color", "linestyle", "marker", "linewidth"):
            assert plt.getp(line, trait) == plt.getp(reported, trait), trait


def test_a_single_epoch_is_visible():
    for axes in curves.draw(ROWS[:1], COLUMNS, "one").axes:
        assert [line.get_marker() for line in axes.lines] == ["o", "s"]


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no epochs"):
        curves.draw([], COLUMNS, "none")

import pytest

from train import curves
from train.tasks import Classification

COLUMNS = Classification.columns
ROWS = [
    {"epoch": epoch, "train": {"loss": 2.0 / epoch, "accuracy": 0.5}, "test": {"loss": 1.0 / epoch, "accuracy": 0.6}}
    for epoch in (1, 2, 3)
]


def test_both_splits_are_drawn_over_the_epochs():
    loss, accuracy = curves.draw(ROWS, COLUMNS, "lenet5 on digits").axes
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2, 3]] * 2
    assert loss.lines[0].get_ydata().tolist() == [2.0, 1.0, 2.0 / 3]
    assert accuracy.lines[1].get_ydata().tolist() == [0.6] * 3
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train  0.5000", "test  0.6000"]


def test_a_single_epoch_is_visible():
    assert all(line.get_marker() == "o" for axes in curves.draw(ROWS[:1], COLUMNS, "one").axes for line in axes.lines)


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no epochs"):
        curves.draw([], COLUMNS, "none")

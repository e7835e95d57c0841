import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from convzoo import plots


def chart(values):
    axes = Figure().add_subplot()
    plots.lines(axes, np.arange(1, 1 + len(values)), {"loss": values})
    plots.logarithmic(axes)
    axes.figure.canvas.draw()
    low, high = axes.get_ylim()
    return [label.get_text() for label in axes.get_yticklabels() if low <= label.get_position()[1] <= high]


@pytest.mark.parametrize(
    "values", [[0.02, 20.0], [1.1, 1.9], [2.9, 2.1], [0.61, 0.6], [1e-7, 1e3], [2.0, 2.0], [0.999, 1.001]]
)
def test_a_logarithmic_axis_has_at_least_two_labels_and_they_differ(values):
    labels = chart(values)
    assert len(labels) >= 2
    assert len(set(labels)) == len(labels)
    assert all(float(label) > 0 for label in labels)


def test_labels_of_a_wide_range_are_1_2_and_5_of_each_decade():
    assert {"0.1", "0.2", "0.5", "1", "2", "5", "10"} <= set(chart([0.08, 20.0]))


@pytest.mark.parametrize(("name", "role"), [("folder:/home/me/flowers", "flowers"), ("tfds:mnist", "tfds:mnist")])
def test_a_title_has_no_path(name, role):
    assert plots.title("lenet5", name) == f"lenet5 on {role}"


def test_digits_of_a_share_are_those_that_its_count_carries():
    texts = [plots.in_percent(0.5, count) for count in (1, 20, 100, 101, 1000, 1001)]
    assert texts == ["50", "50", "50", "50.0", "50.0", "50.00"]


def test_the_style_is_one_that_matplotlib_knows():
    with mpl.rc_context(plots.STYLE):
        assert Figure().add_subplot().spines["top"].get_visible() is False

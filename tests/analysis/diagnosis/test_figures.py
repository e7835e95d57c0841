import numpy as np
import pytest

from analysis import draw
from analysis.visualize.activations import channel_report
from analysis.visualize.exemplars import receptive_boxes, top_images
from analysis.visualize.figures import activation_figure, exemplar_figure, kernel_figure
from analysis.visualize.kernels import kernel_report


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_channels_with_what_is_wrong_under_them(digits, digits_net, healthy):
    conv = healthy["params"]["stage1"]["conv"]
    conv["kernel"][..., 2], conv["bias"][2] = 0, -1
    report = channel_report(digits_net, healthy, digits.images[:50], "stage1")
    figure = activation_figure(digits_net, healthy, digits.images[:1], "stage1", [2, 0], report=report)
    words = texts(figure)
    assert words[:2] == ["2: 0", "dead"]
    assert words[2].startswith("0: ")
    dead, alive = (np.asarray(image.get_array()) for image in figure.axes[0].images)
    assert np.ptp(dead) < np.ptp(alive)
    assert draw.png(figure, dpi=50)[1:4] == b"PNG"


def test_filters_are_grey_at_zero():
    kernel = np.random.default_rng(0).normal(size=(5, 5, 3, 6))
    kernel[..., 4] = 0
    figure = kernel_figure(kernel, kernel_report(kernel))
    assert len(figure.axes[0].images) == 6
    np.testing.assert_array_equal(figure.axes[0].images[4].get_array(), 0.5)
    first = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(first, 0.5 + 0.5 * kernel[..., 0] / abs(kernel[..., 0]).max())
    assert "dead" in texts(figure)


def test_top_images_are_framed_and_named(digits, digits_net, healthy):
    top = top_images(digits_net, healthy, digits.images, "stage1", [1, 4], count=3)
    boxes = receptive_boxes(digits_net, healthy, digits.images, top)
    figure = exemplar_figure(digits.images, top, [f"digit {digit}" for digit in digits.labels], boxes)
    axes = figure.axes[0]
    assert len(axes.images) == len(axes.patches) == 6
    np.testing.assert_array_equal(
        np.asarray(axes.images[0].get_array())[..., 0], digits.images[top.indices[0, 0], ..., 0]
    )
    assert texts(figure)[1] == f"digit {digits.labels[top.indices[0, 0]]}"
    frame = axes.patches[0]
    top_, left, bottom, right = boxes[0, 0] * 0.75 / 8
    np.testing.assert_allclose([frame.get_width(), frame.get_height()], [right - left, bottom - top_])


def test_bad_input(digits, digits_net, healthy):
    with pytest.raises(ValueError, match="2 images: expected one"):
        activation_figure(digits_net, healthy, digits.images[:2], "stage1")
    with pytest.raises(ValueError, match="'head' gives .* which has no spatial extent"):
        activation_figure(digits_net, healthy, digits.images[:1], "head")
    with pytest.raises(ValueError, match="channel 8: expected integers from 0 to 7"):
        activation_figure(digits_net, healthy, digits.images[:1], "stage1", 8)
    with pytest.raises(ValueError, match="a kernel over 16 channels is no picture"):
        kernel_figure(np.ones((3, 3, 16, 4)))
    top = top_images(digits_net, healthy, digits.images[:30], "stage1", 0)
    with pytest.raises(ValueError, match="is among the top images, but there are 2"):
        exemplar_figure(digits.images[:2], top)
    with pytest.raises(ValueError, match="1 titles for 2 images"):
        draw.mosaic(np.zeros((2, 4, 4, 1)), ["a"])

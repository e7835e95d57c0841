import numpy as np
import pytest

from analysis import draw
from analysis.diagnosis.channels import channel_report
from analysis.diagnosis.figures import activation_figure, kernel_figure
from analysis.diagnosis.kernels import kernel_report


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


def test_bad_input(digits, digits_net, healthy):
    with pytest.raises(ValueError, match="2 images: expected one"):
        activation_figure(digits_net, healthy, digits.images[:2], "stage1")
    with pytest.raises(ValueError, match="'head' gives .* which has no spatial extent"):
        activation_figure(digits_net, healthy, digits.images[:1], "head")
    with pytest.raises(ValueError, match="channel 8: expected integers from 0 to 7"):
        activation_figure(digits_net, healthy, digits.images[:1], "stage1", 8)
    with pytest.raises(ValueError, match="a kernel over 16 channels is no picture"):
        kernel_figure(np.ones((3, 3, 16, 4)))
    with pytest.raises(ValueError, match="1 titles for 2 images"):
        draw.mosaic(np.zeros((2, 4, 4, 1)), ["a"])

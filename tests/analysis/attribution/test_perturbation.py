import numpy as np
import pytest

import analysis
from analysis import execution


def by_loop(logits_fn, image, label, window, stride, fill):
    """Windows in two loops; the last one of each axis is moved back to end with the image."""
    height, width, _ = image.shape
    total, count = np.zeros((height, width)), np.zeros((height, width))
    score = float(execution.call(logits_fn, image[None])[0, label])
    tops = sorted({min(top, height - window[0]) for top in range(0, height, stride[0])})
    lefts = sorted({min(left, width - window[1]) for left in range(0, width, stride[1])})
    for top in tops:
        for left in lefts:
            hidden = image.copy()
            hidden[top : top + window[0], left : left + window[1]] = fill
            drop = score - float(execution.call(logits_fn, hidden[None])[0, label])
            total[top : top + window[0], left : left + window[1]] += drop
            count[top : top + window[0], left : left + window[1]] += 1
    assert count.min() > 0
    return total / count


@pytest.mark.parametrize(
    ("window", "stride", "fill"),
    [((3, 2), (2, 1), 0.0), (4, 3, 0.5), ((6, 8), None, [0.2, 0.9]), (1, 1, 0.0)],
    ids=["rectangle", "last_window_moved", "whole_image", "pixel"],
)
def test_against_a_loop(logits_fn, images, labels, window, stride, fill):
    pair = (window, window) if isinstance(window, int) else window
    step = (stride, stride) if isinstance(stride, int) else stride or tuple(max(1, extent // 2) for extent in pair)
    maps = analysis.occlusion(logits_fn, images[:2], labels[:2], window, stride, fill, batch_size=16)
    for image, label, given in zip(images[:2], labels[:2], maps, strict=True):
        np.testing.assert_allclose(given, by_loop(logits_fn, image, label, pair, step, fill), atol=2e-6)


def test_defaults(images):
    """Windows of an eighth of the shorter side, at half steps: seen in which pixels one pixel's score reaches."""
    large = np.ones((1, 16, 24, 1), np.float32)
    heat = np.asarray(analysis.occlusion(lambda x: x[:, 8, 9], large, [0]))
    rows, columns = np.nonzero(heat[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 9, 8, 10)
    assert heat[0, 8, 9] == 1.0, "all windows on the pixel hide it"
    assert heat[0, 7, 9] == 0.5, "of the windows on its neighbour, half do"


def test_probability(logits_fn, images, labels):
    whole = analysis.occlusion(logits_fn, images[:1], labels[:1], window=(6, 8), score="probability")
    logits = np.asarray(logits_fn(np.stack([images[0], 0 * images[0]])), np.float64)
    p = np.exp(logits[:, labels[0]]) / np.exp(logits).sum(1)
    np.testing.assert_allclose(whole, np.full((1, 6, 8), p[0] - p[1]), rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 7}, "window=7 is larger than the image of 6×8 pixels"),
        ({"window": (6, 9)}, "larger than the image of 6×8"),
        ({"window": 0}, "window=0: expected a positive integer"),
        ({"window": 2.5}, "window=2.5: expected a positive integer"),
        ({"window": (2, 2, 2)}, "expected a height and a width"),
        ({"window": 2, "stride": 3}, "stride=3 leaves pixels between windows of 2: use at most 2"),
        ({"window": 2, "stride": 0}, "stride=0: expected a positive integer"),
        ({"fill": [0.1, 0.2, 0.3]}, r"fill of shape \(3,\): expected one number, or one for each of 2"),
        ({"fill": np.nan}, "fill=nan: expected a finite number"),
        ({"fill": "mean"}, "fill='mean': expected a finite number"),
        ({"score": "loss"}, "score='loss' is unknown"),
    ],
)
def test_bad_settings(logits_fn, images, labels, settings, message):
    with pytest.raises(ValueError, match=message):
        analysis.occlusion(logits_fn, images, labels, **settings)

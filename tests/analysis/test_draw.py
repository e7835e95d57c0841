import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from analysis import draw

IMAGES = np.random.default_rng(0).random((3, 6, 6, 3))
MAPS = np.random.default_rng(1).normal(size=(3, 6, 6))


def luminance(colours):
    return np.asarray(colours)[..., :3] @ [0.2126, 0.7152, 0.0722]


def opened(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_blend_is_the_grey_image_where_the_map_is_zero():
    for signed in (True, False):
        blended = draw.blend(IMAGES, np.zeros((3, 6, 6)), 1.0, signed)
        np.testing.assert_allclose(blended, np.broadcast_to(0.12 + 0.6 * IMAGES.mean(-1, keepdims=True), blended.shape))


def test_blend_saturates():
    np.testing.assert_array_equal(
        draw.blend(IMAGES, 5 * MAPS, 1e-9, True), draw.blend(IMAGES, np.sign(MAPS), 1.0, True)
    )
    warm = draw.blend(IMAGES, np.full((3, 6, 6), 2.0), 1.0, True)
    np.testing.assert_array_equal(warm, np.broadcast_to(draw.FOR, warm.shape))


def test_signs_are_told_apart_by_hue_and_magnitudes_by_lightness():
    bar = draw.ramp(signed=True)[0]
    assert (bar[:50, 2] > bar[:50, 0]).all()
    assert (bar[-50:, 0] > bar[-50:, 2]).all()
    shades = luminance(draw.ramp(signed=False)[0])
    assert shades[-1] - shades[0] > 0.3
    assert shades[-40] < shades[-20] < shades[-1]


def test_series_differ_without_colour():
    assert len({dash for _, dash, _ in draw.SERIES}) == len({marker for *_, marker in draw.SERIES}) == len(draw.SERIES)


def test_limit_is_shared_by_all_maps_and_never_zero():
    assert draw.limit(np.concatenate([MAPS, 10 * MAPS])) > draw.limit(MAPS)
    assert draw.limit(np.zeros((2, 4, 4))) == 1.0
    sparse = np.zeros((1, 40, 40))
    sparse[0, 0, 0] = 3.0
    assert draw.limit(sparse) == 3.0


def test_overlay_has_an_axes_for_each_image_and_a_bar_that_spans_the_scale():
    figure = draw.overlay(IMAGES, MAPS, ["a", "b", "c"], unit="logit")
    *panels, bar = figure.axes
    assert [axes.get_title() for axes in panels] == ["a", "b", "c"]
    np.testing.assert_allclose(bar.get_xlim(), [-draw.limit(MAPS), draw.limit(MAPS)])
    np.testing.assert_allclose(draw.overlay(IMAGES, abs(MAPS)).axes[-1].get_xlim(), [0, draw.limit(MAPS)])


def test_panels_lie_inside_the_figure_and_apart():
    figure = draw.grid(np.zeros((5, 4, 4, 1)), list("abcde"), columns=2)
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 1 and box.y1 <= 1 for box in boxes)
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
    width, height = figure.get_size_inches()
    assert boxes[0].width * width == pytest.approx(boxes[0].height * height)


def test_a_sheet_names_its_rows_and_columns_and_the_key_of_its_colours():
    figure = draw.sheet(
        np.stack([IMAGES, 1 - IMAGES]),
        ["plain", "inverse"],
        ["a", "b", "c"],
        {"logit": ("against", "0", "for"), "size": ("0", "most")},
    )
    *panels, signed, magnitude = figure.axes
    np.testing.assert_array_equal(panels[4].images[0].get_array(), 1 - IMAGES[1])
    assert [text.get_text() for text in figure.texts] == ["a", "b", "c", "plain", "inverse"]
    places = {text.get_text(): text.get_position() for text in figure.texts}
    middle = panels[4].get_position()
    assert places["b"][0] == pytest.approx((middle.x0 + middle.x1) / 2)
    assert places["inverse"][1] == pytest.approx((middle.y0 + middle.y1) / 2)
    assert [bar.get_title() for bar in (signed, magnitude)] == ["logit", "size"]
    assert [label.get_text() for label in signed.get_xticklabels()] == ["against", "0", "for"]
    assert [label.get_text() for label in magnitude.get_xticklabels()] == ["0", "most"]
    assert signed.get_xlim() == (-1, 1)
    assert magnitude.get_xlim() == (0, 1)
    lowest = min(axes.get_position().y0 for axes in panels)
    assert all(bar.get_position().y1 < lowest for bar in (signed, magnitude))


def test_curves_draw_the_numbers():
    lines = draw.curves({"train": [3.0, 2.0], "test": [4.0, 1.0]}, x=np.array([5, 10])).axes[0].lines
    np.testing.assert_array_equal([line.get_ydata() for line in lines], [[3, 2], [4, 1]])
    np.testing.assert_array_equal(lines[0].get_xdata(), [5, 10])
    assert [line.get_label() for line in lines] == ["train", "test"]


def test_robustness_is_in_percent_over_steps_of_a_byte():
    axes = draw.robustness([0, 2 / 255, 8 / 255], {"FGSM": [1, 0.5, 0.25]}, chance=0.1).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [100, np.nan, 50, 25])
    zero, gap, *places = axes.lines[0].get_xdata()
    np.testing.assert_allclose(places, [1, 3], rtol=1e-12)
    assert np.isnan(gap)
    assert zero < places[0] - 1, "0 stands apart"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "2", "8"]
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [10, 10])


def test_confusion_matrix_shades_by_share_of_the_row():
    axes = draw.confusion_matrix([[3, 1], [0, 40]], ["cat", "dog"]).axes[0]
    shades = {patch.get_xy(): patch.get_alpha() for patch in axes.patches}
    assert shades[(-0.5, -0.5)] == pytest.approx(0.12 + 0.88 * 0.75)
    assert shades[(0.5, 0.5)] == 1.0
    assert (-0.5, 0.5) not in shades
    assert sorted(text.get_text() for text in axes.texts) == ["1", "3", "40"]
    # Rows are the truth, and the first row is at the top.
    assert axes.get_ylim() == (1.5, -0.5)
    (three,) = [text for text in axes.texts if text.get_text() == "1"]
    assert three.get_position() == (1, 0)


def test_many_classes_stay_legible():
    axes = draw.confusion_matrix(np.eye(100, dtype=int), [f"class {k}" for k in range(100)]).axes[0]
    assert not axes.texts
    assert len(axes.get_xticks()) <= 30


def test_svg_repeats_to_the_byte_and_keeps_text():
    texts = [draw.svg(draw.curves({"loss": [2.0, 1.0]}, ylabel="loss (nats)")) for _ in range(2)]
    assert texts[0] == texts[1]
    assert ">loss (nats)</text>" in texts[0]


def test_png_of_an_image_is_the_image_pixel_by_pixel():
    np.testing.assert_array_equal(opened(draw.png(IMAGES[0])), np.rint(255 * IMAGES[0]))
    grey = opened(draw.png(IMAGES[0, :, :, :1]))
    np.testing.assert_array_equal(grey, np.repeat(np.rint(255 * IMAGES[0, :, :, :1]), 3, -1))


def test_png_of_a_figure_has_its_size():
    figure = draw.grid(IMAGES)
    width, height = figure.get_size_inches()
    assert opened(draw.png(figure, dpi=50)).shape[:2] == (int(50 * height), int(50 * width))


def test_no_global_state_is_left_behind():
    before = dict(mpl.rcParams)
    draw.svg(draw.overlay(IMAGES, MAPS))
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw.grid(np.zeros((2, 4, 4))), r"\(2, 4, 4\): expected \(N, H, W, C\)"),
        (lambda: draw.grid(np.zeros((2, 4, 4, 2))), "1 or 3 channels"),
        (lambda: draw.grid(np.zeros((2, 4, 4, 1)), ["one"]), "1 titles for 2 images"),
        (lambda: draw.overlay(IMAGES, MAPS[:, :3]), r"maps of shape \(3, 3, 6\)"),
        (lambda: draw.sheet(IMAGES[None], ["one"], ["a"]), r"expected \(1, 1, H, W, C\)"),
        (lambda: draw.curves({"a": [1.0], "b": [1.0, 2.0]}), "equal lengths"),
        (lambda: draw.curves({name: [1.0] for name in "abcde"}), "at most 4 lines"),
        (lambda: draw.confusion_matrix(np.eye(3), ["a", "b"]), r"\(3, 3\) for 2 classes"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()

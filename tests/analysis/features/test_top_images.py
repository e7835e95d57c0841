import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from analysis.features.saturation import unsaturated
from analysis.features.top_images import exemplar_figure, receptive_boxes, top_images


class Window(nn.Module):
    """One 3×3 convolution that adds up its window, and its negative."""

    @nn.compact
    def __call__(self, images):
        return nn.relu(nn.Conv(2, (3, 3), name="conv")(images)).mean((1, 2))


@pytest.fixture(scope="module")
def window():
    kernel = np.ones((3, 3, 1, 2), np.float32) * np.array([1, -1], np.float32)
    return {"params": {"conv": {"kernel": kernel, "bias": np.zeros(2, np.float32)}}}


@pytest.fixture(scope="module")
def dots():
    """One bright pixel an image, brighter from image to image, at different places."""
    images = np.zeros((7, 6, 9, 1), np.float32)
    for index in range(7):
        images[index, index % 6, index + 1] = (index + 1) / 7
    return images


def test_which_where_and_how_strongly(window, dots):
    top = top_images(Window(), window, dots, "conv", 0, count=3, batch_size=2)
    assert top.indices.tolist() == [[6, 5, 4]]
    np.testing.assert_allclose(top.activations, [[1, 6 / 7, 5 / 7]], rtol=1e-6)
    # The first of the windows that hold the dot, which touches it with its last corner.
    assert top.positions.tolist() == [[[0, 6], [4, 5], [3, 4]]]
    assert receptive_boxes(Window(), window, dots, top, batch_size=2).tolist() == [
        [[0, 5, 2, 8], [3, 4, 6, 7], [2, 3, 5, 6]]
    ]


@pytest.mark.parametrize("batch_size", [3, None])
def test_batch_size_does_not_matter(digits, digits_net, healthy, batch_size):
    first = top_images(digits_net, healthy, digits.images[:40], "stage2", count=5, batch_size=8)
    other = top_images(digits_net, healthy, digits.images[:40], "stage2", count=5, batch_size=batch_size)
    np.testing.assert_array_equal(first.indices, other.indices)
    np.testing.assert_array_equal(first.positions, other.positions)
    np.testing.assert_allclose(first.activations, other.activations, rtol=1e-5)


def test_against_a_sort_of_all(digits, digits_net, healthy):
    images = digits.images[:60]
    top = top_images(digits_net, healthy, images, "stage3", [5, 2], count=4)
    _, state = digits_net.apply(healthy, images, capture_intermediates=True)
    values = np.asarray(state["intermediates"]["stage3"]["__call__"][0])
    for row, channel in enumerate((5, 2)):
        strongest = values[..., channel].max((1, 2))
        np.testing.assert_array_equal(top.indices[row], np.argsort(-strongest, kind="stable")[:4])
        for index, (i, j), value in zip(top.indices[row], top.positions[row], top.activations[row], strict=True):
            np.testing.assert_allclose(values[index, i, j, channel], value, rtol=1e-5)


def test_equal_images_come_in_order_and_a_dead_channel_looks_nowhere(window, dots):
    flat = np.full_like(dots, 0.5)
    top = top_images(Window(), window, flat, "conv", count=4, batch_size=3)
    assert top.indices.tolist() == [[0, 1, 2, 3]] * 2
    assert top.ties.tolist() == [7, 7]
    dead = jax.tree.map(np.zeros_like, window)
    assert not receptive_boxes(Window(), dead, flat, top_images(Window(), dead, flat, "conv", 0, count=2)).any()


def test_a_layer_without_spatial_extent_looks_at_the_whole_image(digits, digits_net, healthy):
    top = top_images(digits_net, healthy, digits.images[:20], "head", 3, count=2)
    assert top.positions.tolist() == [[[0, 0], [0, 0]]]
    boxes = receptive_boxes(digits_net, healthy, digits.images[:20], top)
    assert boxes.tolist() == [[[0, 0, 8, 8]] * 2]
    with pytest.raises(ValueError, match="is among the top images, but there are 1"):
        receptive_boxes(digits_net, healthy, digits.images[:1], top)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "stge1"}, "did you mean stage1"),
        ({"channels": 8}, "channel 8: expected integers from 0 to 7, the channels of 'stage1'"),
        ({"channels": [0, -1]}, "channel -1"),
        ({"channels": [0.5]}, r"channels=\[0.5\]: expected integers"),
        ({"channels": []}, r"channels=\[\]"),
        ({"count": 21}, "count=21 is more than the 20 images there are"),
        ({"count": 0}, "count=0: expected a positive integer"),
        ({"batch_size": -1}, "batch_size=-1"),
    ],
)
def test_bad_input(digits, digits_net, healthy, settings, message):
    with pytest.raises(ValueError, match=message):
        top_images(digits_net, healthy, digits.images[:20], **{"layer": "stage1"} | settings)


def test_bad_images(digits_net, healthy):
    for value, message in ((1.5, r"expected \[0, 1\]"), (np.nan, "NaN")):
        with pytest.raises(ValueError, match=message):
            top_images(digits_net, healthy, np.full((9, 8, 8, 1), value, np.float32), "stage1")


def test_integer_arrays_of_jax_are_taken(window, dots):
    assert top_images(Window(), window, jnp.asarray(dots), "conv", jnp.array([1]), count=1).channels.tolist() == [1]


def test_top_images_are_framed_and_named(digits, digits_net, healthy):
    top = top_images(digits_net, healthy, digits.images, "stage1", [1, 4], count=3)
    boxes = receptive_boxes(digits_net, healthy, digits.images, top)
    figure = exemplar_figure(digits.images, top, [f"digit {digit}" for digit in digits.labels], boxes)
    axes = figure.axes[0]
    assert len(axes.images) == len(axes.patches) == 6
    np.testing.assert_array_equal(
        np.asarray(axes.images[0].get_array())[..., 0], digits.images[top.indices[0, 0], ..., 0]
    )
    assert axes.texts[1].get_text() == f"digit {digits.labels[top.indices[0, 0]]}"
    frame = axes.patches[0]
    top_, left, bottom, right = boxes[0, 0] * 0.75 / 8
    np.testing.assert_allclose([frame.get_width(), frame.get_height()], [right - left, bottom - top_])


def test_a_sheet_of_top_images_takes_the_images_they_were_chosen_from(digits, digits_net, healthy):
    top = top_images(digits_net, healthy, digits.images[:30], "stage1", 0)
    with pytest.raises(ValueError, match="is among the top images, but there are 2"):
        exemplar_figure(digits.images[:2], top)


class Saturated(nn.Module):
    """Two channels behind a bounded activation function; the second is 100 times the first before it."""

    act: object = nn.tanh
    pool: bool = False

    @nn.compact
    def __call__(self, images):
        values = self.act(nn.Conv(2, (1, 1), name="conv")(images))
        if self.pool:
            values = jax.lax.reduce_window(values, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4.0
        return values


def saturated(images, **settings):
    """Top images and boxes of a layer that ends in a bounded activation function."""
    kernel = jnp.array([1.0, 100.0]).reshape(1, 1, 1, 2)
    variables = {"params": {"layers_0": {"conv": {"kernel": kernel, "bias": jnp.zeros(2)}}}}
    model = nn.Sequential([Saturated(**settings)])
    top = top_images(model, variables, images, "layers_0", count=3, batch_size=7)
    return top, receptive_boxes(model, variables, images, top)


def test_a_saturated_channel_ties_and_is_ranked_by_the_value_before_it():
    images = np.linspace(0, 1, 20, dtype=np.float32).reshape(20, 1, 1, 1)
    top, boxes = saturated(images)
    assert top.ties[0] == 1
    # tanh(100 x) is 1 in float32 from x = 0.1 on.
    assert top.ties[1] == 18
    assert top.indices.tolist() == [[19, 18, 17]] * 2
    np.testing.assert_array_equal(top.activations[1], 1)
    np.testing.assert_allclose(top.before, [images[[19, 18, 17], 0, 0, 0], 100 * images[[19, 18, 17], 0, 0, 0]])
    assert boxes.tolist() == [[[0, 0, 1, 1]] * 3] * 2, "a frame where the gradient of tanh is zero"


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("act", [nn.tanh, nn.sigmoid, jax.lax.erf, lambda x: jnp.minimum(x, 1.0), nn.relu6])
def test_the_brightest_of_saturated_images_comes_first_and_is_framed(act, pool):
    images = np.full((12, 4, 4, 1), 0.3, np.float32)
    images[[4, 9, 7], 2:, 2:] = np.array([0.7, 0.9, 0.8]).reshape(3, 1, 1, 1)
    top, boxes = saturated(images, act=act, pool=pool)
    assert top.ties[1] == 12
    assert top.indices[1].tolist() == [9, 7, 4]
    assert boxes[1].tolist() == [[2, 2, 4, 4] if pool else [2, 2, 3, 3]] * 3


def test_derivatives_and_forms_of_the_network_are_kept():
    """The derivative of ReLU is 0 at 0, where that of a maximum with 0 is a half: its channel looks nowhere."""
    top, boxes = saturated(np.zeros((3, 4, 4, 1), np.float32), act=nn.relu)
    assert top.ties.tolist() == [3, 3]
    assert not boxes.any()

    @jax.custom_vjp
    def own(values):
        return 2 * values

    own.defvjp(lambda values: (own(values), None), lambda _, gradient: (7 * gradient,))
    ones = jnp.ones(2)
    output, before = unsaturated(Partial(own), ones)
    assert before is None
    np.testing.assert_array_equal(output, own(ones))
    gradient = jax.grad(lambda values: unsaturated(Partial(lambda values: jnp.tanh(own(values))), values)[1].sum())
    np.testing.assert_array_equal(gradient(ones), 7)


def test_without_a_bounded_activation_function_nothing_changes():
    top, _ = saturated(np.full((5, 4, 4, 1), 0.5, np.float32), act=nn.relu)
    assert top.before is None
    assert top.indices.tolist() == [[0, 1, 2]] * 2
    values = jnp.linspace(-1, 2, 5)
    for act in (nn.relu, nn.swish, lambda x: x + jnp.tanh(x), lambda x: jnp.tanh(x) * nn.sigmoid(x)):
        assert unsaturated(Partial(act), values)[1] is None

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import metrics

AREAS = {"insertion": metrics.insertion, "deletion": metrics.deletion}
ONES = jnp.ones((1, 2, 2, 1), jnp.float32)


def weighted(weights, images):
    """A linear classifier of 2×2 images whose first logit is the weighted sum, the second nothing."""
    total = jnp.sum(images[..., 0] * weights[None], (1, 2))
    return jnp.stack([total, jnp.zeros_like(total)], axis=1)


@pytest.fixture(scope="module")
def linear():
    return jax.tree_util.Partial(weighted, jnp.array([[4.0, 3.0], [2.0, 1.0]]))


def test_curves_of_a_linear_function_by_hand(linear):
    maps = [[[4.0, 3.0], [2.0, 1.0]]]
    inserted = metrics.insertion_curve(linear, ONES, [0], maps, 4, 0.0, "logit")
    deleted = metrics.deletion_curve(linear, ONES, [0], maps, 4, score="logit")
    np.testing.assert_allclose(inserted.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(inserted.scores, [[0, 4, 7, 9, 10]])
    np.testing.assert_allclose(deleted.scores, [[10, 6, 3, 1, 0]])
    np.testing.assert_allclose(metrics.insertion(linear, ONES, [0], maps, 4, 0.0, "logit"), [6.25])
    np.testing.assert_allclose(metrics.deletion(linear, ONES, [0], maps, 4, score="logit"), [3.75])


def test_the_true_order_is_the_best_of_all(linear):
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(4).reshape(2, 2) for _ in range(24)])
    images, labels = jnp.tile(ONES, (24, 1, 1, 1)), np.zeros(24, int)
    inserted = metrics.insertion(linear, images, labels, orders, 4, 0.0)
    deleted = metrics.deletion(linear, images, labels, orders, 4, 0.0)
    right = (orders == np.array([[3, 2], [1, 0]])).all((1, 2))
    assert right.any()
    assert set(np.flatnonzero(right)) == set(np.flatnonzero(np.isclose(inserted, inserted.max())))
    assert set(np.flatnonzero(right)) == set(np.flatnonzero(np.isclose(deleted, deleted.min())))


def test_equal_values_go_from_the_top_left(linear):
    curve = metrics.insertion_curve(linear, ONES, [0], jnp.zeros((1, 2, 2)), 4, 0.0, "logit")
    np.testing.assert_allclose(curve.scores, [[0, 4, 7, 9, 10]])


def test_ends_are_the_baseline_and_the_image(logits_fn, images, labels):
    maps = np.random.default_rng(2).normal(size=images.shape[:3])
    for baseline in ("blur", 0.25, [0.5, 0.0], 1 - images):
        inserted = metrics.insertion_curve(logits_fn, images, labels, maps, 3, baseline, "logit").scores
        deleted = metrics.deletion_curve(logits_fn, images, labels, maps, 3, baseline, "logit").scores
        there = metrics.blurred(images) if isinstance(baseline, str) else np.broadcast_to(baseline, images.shape)
        rows = np.arange(len(images)), labels
        for curve, ends in ((inserted, (there, images)), (deleted, (images, there))):
            for column, end in zip((0, -1), ends, strict=True):
                np.testing.assert_allclose(curve[:, column], logits_fn(jnp.asarray(end, np.float32))[rows], atol=1e-5)


def test_more_steps_than_pixels_change_nothing(linear):
    areas = [metrics.insertion(linear, ONES, [0], [[[4, 3], [2, 1]]], steps, 0.0, "logit") for steps in (4, 9)]
    np.testing.assert_allclose(*areas)


@pytest.mark.optimized
@pytest.mark.parametrize("name", AREAS)
def test_others_do_not_matter(name, logits_fn, images, labels):
    area = functools.partial(AREAS[name], logits_fn, steps=3, batch_size=5)
    maps = np.random.default_rng(3).normal(size=images.shape[:3]).astype(np.float32)
    whole = area(images, labels, maps)
    np.testing.assert_array_equal(whole[1:2], area(images[1:2], labels[1:2], maps[1:2]))
    assert np.ptp(whole) > 0


@pytest.mark.parametrize("name", AREAS)
def test_neither_batches_nor_jit_matter(name, logits_fn, images, labels):
    area = functools.partial(AREAS[name], logits_fn, steps=3)
    maps = np.random.default_rng(3).normal(size=images.shape[:3]).astype(np.float32)
    whole = area(images, labels, maps, batch_size=5)
    np.testing.assert_allclose(area(images, labels, maps, batch_size=None), whole, atol=1e-6)
    jitted = jax.jit(lambda images, maps: area(images, labels, maps))(jnp.asarray(images), jnp.asarray(maps))
    np.testing.assert_allclose(jitted, whole, atol=1e-6)


def test_blur_keeps_what_is_uniform_and_the_mean_of_a_row():
    images = np.random.default_rng(4).uniform(size=(1, 1, 5, 2)).astype(np.float32)
    place = np.arange(5)
    weights = np.exp(-((place[:, None] - place) ** 2) / (2 * 1.5**2))
    expected = weights @ images[0, 0] / weights.sum(1, keepdims=True)
    np.testing.assert_allclose(metrics.blurred(images, 1.5)[0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics.blurred(jnp.full((1, 4, 4, 1), 0.25)), 0.25, rtol=1e-6)
    np.testing.assert_allclose(metrics.blurred(images, 1e3)[0, 0], images.mean(2)[0, 0][None].repeat(5, 0), rtol=1e-4)


REFUSED = {
    "shape": ({"maps": np.zeros((5, 8, 6))}, r"maps of shape \(5, 8, 6\): expected \(5, 6, 8\)"),
    "channels": ({"maps": np.zeros((5, 6, 8, 2))}, "reduce the channels first"),
    "nan": ({"maps": np.full((5, 6, 8), np.nan)}, "maps hold NaN"),
    "type": ({"maps": np.zeros((5, 6, 8), bool)}, "maps of type bool"),
    "steps": ({"steps": 0}, "steps=0: expected a positive integer"),
    "baseline": ({"baseline": "blurred"}, "baseline='blurred' is unknown, did you mean blur"),
    "channels_of_baseline": ({"baseline": [0.0, 0.1, 0.2]}, r"baseline of shape \(3,\)"),
    "score": ({"score": "probabilty"}, "did you mean probability"),
    "labels": ({"labels": np.full(5, 3)}, "labels.0. is 3"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("name", AREAS)
def test_bad_input_is_refused(name, case, logits_fn, images, labels):
    change, message = REFUSED[case]
    given = {"images": images, "labels": labels, "maps": np.zeros(images.shape[:3])} | change
    with pytest.raises(ValueError, match=message):
        AREAS[name](logits_fn, **given)


@pytest.mark.parametrize("sigma", [0, -1.0, float("inf")])
def test_a_blur_has_a_width(images, sigma):
    with pytest.raises(ValueError, match="sigma="):
        metrics.blurred(images, sigma)

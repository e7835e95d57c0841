import jax
import numpy as np
import pytest

from analysis import metrics

HITS = {
    "pointing_game": metrics.pointing_game,
    "mass_inside": metrics.mass_inside,
    "contrast": lambda maps, masks: metrics.contrast(maps, masks, ~np.asarray(masks)),
}


@pytest.fixture(scope="module")
def masks():
    masks = np.zeros((3, 6, 8), bool)
    masks[0, :2, :4] = masks[1, 5, 7] = masks[2, 1:4, 2:7] = True
    return masks


def test_maps_inside_and_outside(masks):
    inside, outside = masks.astype(np.float32), (~masks).astype(np.float32)
    for maps, hit in ((inside, 1.0), (outside, 0.0)):
        np.testing.assert_array_equal(metrics.pointing_game(maps, masks), [hit] * 3)
        np.testing.assert_array_equal(metrics.mass_inside(maps, masks), [hit] * 3)
        np.testing.assert_array_equal(metrics.contrast(maps, masks, ~masks), [2 * hit - 1] * 3)


def test_random_maps_score_chance(masks):
    count = 4000
    maps = np.random.default_rng(0).uniform(size=(count, 6, 8)).astype(np.float32)
    region = np.broadcast_to(masks[2], maps.shape)
    chance = masks[2].mean()
    assert abs(np.mean(metrics.pointing_game(maps, region)) - chance) < 4 * np.sqrt(chance * (1 - chance) / count)
    assert abs(np.mean(metrics.mass_inside(maps, region)) - chance) < 0.01
    assert abs(np.mean(metrics.contrast(maps, region, ~region))) < 0.01


@pytest.mark.parametrize("value", [0.0, 2.0, -1.0])
def test_flat_maps_score_exactly_chance(masks, value):
    maps = np.full(masks.shape, value)
    chance = masks.mean((1, 2))
    np.testing.assert_allclose(metrics.pointing_game(maps, masks), chance, rtol=1e-6)
    np.testing.assert_allclose(metrics.mass_inside(maps, masks), chance, rtol=1e-6)
    np.testing.assert_array_equal(metrics.contrast(maps, masks, ~masks), np.zeros(3))


def test_tolerance_is_a_distance():
    masks = np.zeros((1, 9, 9), bool)
    masks[0, 4, 4] = True
    rows, columns = np.meshgrid(np.arange(9), np.arange(9), indexing="ij")
    points = np.eye(81, dtype=np.float32).reshape(81, 9, 9)
    distance = np.hypot(rows - 4, columns - 4).ravel()
    for tolerance in (0, 1, 1.5, 3, 20):
        hits = metrics.pointing_game(points, np.repeat(masks, 81, 0), tolerance)
        np.testing.assert_array_equal(hits, (distance <= tolerance).astype(np.float32))


def test_the_size_of_a_region_is_no_advantage_in_contrast():
    maps = np.array([[[3.0, 1.0, 1.0, 1.0, -9.0]]])
    first, others = np.array([[True, False, False, False, False]]), np.array([[False, True, True, True, False]])
    np.testing.assert_allclose(metrics.contrast(maps, first, others), [0.5], rtol=1e-6)
    np.testing.assert_allclose(metrics.mass_inside(maps, first), [0.5], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_units_do_not_matter(masks, scale):
    maps = np.random.default_rng(1).normal(size=masks.shape).astype(np.float32)
    for score in HITS.values():
        np.testing.assert_allclose(score(maps * np.float32(scale), masks), score(maps, masks), rtol=1e-5)


def test_one_region_for_all_and_jit(masks):
    maps = np.random.default_rng(2).normal(size=masks.shape).astype(np.float32)
    for score in HITS.values():
        each = score(maps, np.broadcast_to(masks[2], masks.shape))
        np.testing.assert_array_equal(score(maps, masks[2]), each)
        np.testing.assert_allclose(jax.jit(lambda maps, score=score: score(maps, masks[2]))(maps), each, rtol=1e-6)


@pytest.mark.parametrize("name", HITS)
def test_bad_input_is_refused(masks, name):
    score, maps = HITS[name], np.zeros(masks.shape)
    for given, message in (
        ((maps[0], masks), r"maps of shape \(6, 8\): expected \(N, H, W\)"),
        ((maps[:, :3], masks), r"masks of shape \(3, 6, 8\): expected \(3, 3, 8\)"),
        ((maps, masks.astype(np.int32)), "masks of type int32: expected booleans"),
        ((maps, masks & (np.arange(3) != 1)[:, None, None]), r"masks\[1\] is empty"),
        ((maps + np.inf, masks), "maps hold NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            score(*given)


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf")])
def test_tolerance_is_not_negative(masks, tolerance):
    with pytest.raises(ValueError, match="tolerance="):
        metrics.pointing_game(np.zeros(masks.shape), masks, tolerance)

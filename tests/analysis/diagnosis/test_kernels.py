import functools

import jax
import numpy as np
import pytest

import zoo
from analysis.diagnosis.colour import colour_selectivity
from analysis.diagnosis.kernels import kernel_of, kernel_report

BOARD = (-1.0) ** np.add.outer(np.arange(3), np.arange(3))


def stack(*filters):
    """(k, k) filters as a kernel over one channel."""
    return np.stack(filters, -1)[:, :, None]


def gabors(count=16, size=7):
    """Oriented waves under a bell, as trained first layers have them."""
    y, x = np.mgrid[:size, :size] - size // 2
    turns = np.pi * np.arange(count) / count
    waves = [np.cos(1.2 * (np.cos(t) * x + np.sin(t) * y) + 3 * t) * np.exp(-(x**2 + y**2) / 8) for t in turns]
    return stack(*waves)


def kinds(report):
    return {(finding.kind, finding.channels) for finding in report.findings}


def test_closed_forms():
    flat, edge = np.ones((3, 3)), np.array([[1.0, 0, -1]] * 3)
    report = kernel_report(stack(flat, -2 * BOARD, edge))
    np.testing.assert_allclose(report.norm, [3, 6, np.sqrt(6)])
    # The edge's rows are equal, and its columns differ by one: half of the pairs' squares are 1, the mean square 2/3.
    np.testing.assert_allclose(report.smoothness, [1, -1, 1 - 0.5 / (4 / 3)])
    np.testing.assert_allclose(report.checkerboard, [1 / 81, 1, 0], atol=1e-12)
    assert kinds(report) == {("checkerboard", (1,))}


def test_diversity_counts_filters():
    basis = np.eye(9).reshape(3, 3, 1, 9)
    np.testing.assert_allclose(kernel_report(basis).diversity, 9)
    np.testing.assert_allclose(kernel_report(np.concatenate([basis, -2 * basis], -1)).diversity, 9)
    np.testing.assert_allclose(kernel_report(np.repeat(basis[..., :1], 6, -1)).diversity, 1)
    half = np.stack([basis[..., 0], basis[..., 0] + basis[..., 1]], -1)  # a squared cosine of one half
    np.testing.assert_allclose(kernel_report(half).diversity, 0.75**-0.75 * 0.25**-0.25)
    with_dead = np.concatenate([basis[..., :4], 0 * basis[..., :2]], -1)
    np.testing.assert_allclose(kernel_report(with_dead).diversity, 4)


def test_oriented_filters_are_healthy():
    report = kernel_report(gabors(), "stem")
    assert not report.findings
    assert report.smoothness.min() > 0.3
    assert str(report) == f"stem: 16 filters, {report.diversity:.1f} different, none defective"


def test_sick_filters_are_named():
    kernel = gabors()
    kernel[..., 3] = 1e-9
    kernel[..., 6] = 0.5 * kernel[..., 2]
    kernel[..., 9] = (-1.0) ** np.add.outer(np.arange(7), np.arange(7))[..., None]
    assert kinds(kernel_report(kernel)) == {("dead", (3,)), ("duplicated", (6, 2)), ("checkerboard", (9,))}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(5, 5, 1, 16), (3, 3, 3, 32), (7, 7, 3, 64)])
def test_random_filters_are_named_and_nothing_else_is_said_of_them(seed, shape):
    report = kernel_report(np.random.default_rng(seed).normal(size=shape))
    assert kinds(report) == {("random", ())}


def test_where_random_and_trained_cannot_be_told_apart_nothing_is_said():
    rng = np.random.default_rng(0)
    assert not kernel_report(rng.normal(size=(3, 3, 1, 8))).findings, "72 weights"
    assert not kernel_report(rng.normal(size=(3, 3, 64, 64))).findings, "not the layer that sees pixels"
    assert not kernel_report(rng.normal(size=(1, 1, 3, 64))).findings, "no neighbours"


def test_filters_that_are_all_alike():
    rng = np.random.default_rng(0)
    one = gabors()[..., :1]
    report = kernel_report(one + 0.12 * np.abs(one).mean() * rng.normal(size=(7, 7, 1, 16)))
    assert ("alike", ()) in kinds(report)
    assert report.diversity < 2


def test_a_trained_network_is_not_accused(digits, fitted):
    for seed in range(3):
        report = kernel_report(kernel_of(fitted("train", seed, 600), "stage1")[1])
        assert not report.findings, str(report)


def test_kernels_are_found_by_path():
    kernel = np.ones((3, 3, 1, 2))
    variables = {
        "params": {"stem": {"conv": {"kernel": kernel}}, "stage1": {"a": {"kernel": kernel}, "b": {"kernel": kernel}}}
    }
    for name in ("stem/conv", "stem", "conv"):
        assert kernel_of(variables, name)[0] == "stem/conv"
    with pytest.raises(ValueError, match="no single kernel at 'stage1'.*; there are: stage1/a, stage1/b"):
        kernel_of(variables, "stage1")
    with pytest.raises(ValueError, match="'stem/cnv', did you mean stem/conv"):
        kernel_of(variables, "stem/cnv")


def test_a_layer_of_zeros_is_dead_altogether():
    report = kernel_report(np.zeros((3, 3, 3, 4)))
    assert [finding.kind for finding in report.findings] == ["dead"] * 4
    assert report.diversity == 0


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.ones((3, 3, 2)), r"kernel of shape \(3, 3, 2\): expected \(k_h, k_w, C_in, F\)"),
        (np.ones((3, 3, 1, 0)), "all positive"),
        (np.full((3, 3, 1, 1), np.nan), "not finite"),
    ],
)
def test_bad_kernels(kernel, message):
    with pytest.raises(ValueError, match=message):
        kernel_report(kernel)


def test_colour_closed_forms():
    filters = np.array([[1.0, 1, 1], [1, -1, 0], [1, 0, 0], [0, 0, 0]])
    found = colour_selectivity(filters.T[None, None])
    np.testing.assert_allclose(found.values, [0, 1, 2 / 3, np.nan], atol=1e-12)
    np.testing.assert_allclose(found.groups, [5 / 9])
    assert np.isnan(found.order)


def test_filters_that_are_equally_selective_are_in_no_order():
    found = colour_selectivity(np.ones((1, 1, 3, 6)), groups=2)
    assert found.order == 0.5
    assert not found.divided


def test_colour_of_random_weights_is_two_thirds():
    assert abs(colour_selectivity(np.random.default_rng(0).normal(size=(3, 3, 3, 2000))).groups[0] - 2 / 3) < 0.01


def test_two_towers_that_divide_the_work_and_two_that_do_not():
    rng = np.random.default_rng(0)
    grey = rng.normal(size=(11, 11, 1, 48)) + 0.3 * rng.normal(size=(11, 11, 3, 48))
    colour = rng.normal(size=(11, 11, 3, 48))
    divided = colour_selectivity(np.concatenate([grey, colour], -1), groups=2)
    assert divided.divided
    assert divided.order == 1
    assert divided.groups[0] < 0.2 < 0.6 < divided.groups[1]
    assert str(divided).endswith("in 100 % of the pairs: group 1 is the one for colour")
    mixed = colour_selectivity(rng.permuted(np.concatenate([grey, colour], -1), axis=-1), groups=2)
    assert not mixed.divided
    assert str(mixed).endswith("no division of labour")


def test_the_towers_of_an_untrained_alexnet_do_not_divide_the_work():
    model = zoo.create("alexnet_two_tower")
    images = jax.ShapeDtypeStruct((1, 67, 67, 3), np.float32)
    shapes = jax.eval_shape(functools.partial(model.init, method="features"), jax.random.key(0), images)
    shape = kernel_of(shapes, "stem")[1].shape
    assert shape == (11, 11, 3, 96)
    for seed in range(3):
        found = colour_selectivity(np.random.default_rng(seed).normal(size=shape), groups=model.towers)
        assert not found.divided
        np.testing.assert_allclose(found.error, np.sqrt(97 / (12 * 48 * 48)))


@pytest.mark.parametrize(
    ("shape", "groups", "message"),
    [
        ((3, 3, 1, 4), 1, r"kernel of shape \(3, 3, 1, 4\): expected \(k_h, k_w, 3, F\)"),
        ((3, 3, 3, 5), 2, "groups=2 does not divide 5 filters"),
        ((3, 3, 3, 4), 0, "groups=0: expected a positive integer"),
    ],
)
def test_bad_colour(shape, groups, message):
    with pytest.raises(ValueError, match=message):
        colour_selectivity(np.ones(shape), groups)

import jax
import numpy as np
import pytest
from scipy import stats

from analysis import metrics


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 9, 11))
    first[1], second[2] = np.round(first[1]), np.maximum(second[2], 0)  # ties
    return first.astype(np.float32), (second + 0.5 * first).astype(np.float32)


def test_rank_correlation_is_scipy_s(pair):
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(*pair, strict=True)]
    np.testing.assert_allclose(metrics.rank_correlation(*pair), expected, atol=1e-5)


def test_rank_correlation_sees_the_order_alone(pair):
    first, second = pair
    np.testing.assert_allclose(metrics.rank_correlation(first, np.exp(first)), 1, atol=1e-5)
    np.testing.assert_allclose(metrics.rank_correlation(first, -(first**3)), -1, atol=1e-5)
    np.testing.assert_allclose(
        jax.jit(metrics.rank_correlation)(first, second), metrics.rank_correlation(first, second), atol=1e-6
    )
    np.testing.assert_array_equal(metrics.rank_correlation(np.ones_like(first), second), np.zeros(6))


def similarity_of_one(first, second, window):
    first, second = ((side - side.min()) / np.ptp(side) for side in (first, second))
    values = []
    for row in range(first.shape[0] - window + 1):
        for column in range(first.shape[1] - window + 1):
            a, b = (side[row : row + window, column : column + window] for side in (first, second))
            shared = ((a - a.mean()) * (b - b.mean())).mean()
            light = (2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
            values.append(light * (2 * shared + 9e-4) / (a.var() + b.var() + 9e-4))
    return np.mean(values)


@pytest.mark.parametrize("window", [3, 7])
def test_structural_similarity_is_that_of_a_loop(pair, window):
    expected = [similarity_of_one(a, b, window) for a, b in zip(*pair, strict=True)]
    np.testing.assert_allclose(metrics.structural_similarity(*pair, window), expected, atol=1e-4)
    np.testing.assert_allclose(metrics.structural_similarity(pair[0], pair[0], window), 1, atol=1e-5)


def test_agreement_is_the_mean_over_images(pair):
    first, second = pair
    matrix = metrics.agreement({"a": first, "b": second, "c": -first})
    mean = metrics.rank_correlation(first, second).mean()
    np.testing.assert_allclose(matrix, [[1, mean, -1], [mean, 1, -mean], [-1, -mean, 1]], atol=1e-5)


def test_bad_input_is_refused(pair):
    first, second = pair
    for call, message in (
        (lambda: metrics.rank_correlation(first, second[:3]), r"others of shape \(3, 9, 11\): expected \(6, 9, 11\)"),
        (lambda: metrics.structural_similarity(first, second, 0), "window=0"),
        (lambda: metrics.agreement({}), "agreement of no maps"),
        (lambda: metrics.agreement({"a": first, "b": second[:, :4]}), r"maps\['b'\] of shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()

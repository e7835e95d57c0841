import jax
import numpy as np
import pytest

from analysis.features.regularizers import AlphaNorm, TotalVariation

STEP = np.float32([[0, 0, 0.3], [0, 0, 0.3], [0.4, 0.4, 0.3]])[None, :, :, None]


@jax.jit
def of(penalty, images):
    """A penalty of images; weights and exponents are leaves, so that one program serves all."""
    return penalty(images)


@jax.jit
def gradient_of(penalty, images):
    return jax.grad(lambda images: penalty(images).sum())(images)


def test_total_variation_by_hand():
    # Corner by corner: (0,1) and (1,1) step right by 0.3, (1,0) down by 0.4, (1,1) both, (2,1) back by 0.1.
    squares = np.array([0.3**2, 0.4**2, 0.3**2 + 0.4**2, 0.1**2])
    for beta in (1.0, 1.5, 2.0):
        expected = (squares ** (beta / 2)).sum() / 9
        np.testing.assert_allclose(of(TotalVariation(1.0, beta), STEP), [expected], rtol=1e-5)
    np.testing.assert_allclose(
        of(TotalVariation(3.0), np.concatenate([STEP, STEP], -1)), [squares.sum() / 3], rtol=1e-5
    )


def test_alpha_norm_by_hand():
    images = np.float32([[[[0.5], [1.0]]], [[[0.25], [0.75]]]])
    np.testing.assert_allclose(of(AlphaNorm(2.0), images), [1.0, 2 * 0.5**6])
    np.testing.assert_allclose(of(AlphaNorm(1.0, 2.0), images), [0.5, 0.25])


@pytest.mark.parametrize("penalty", [TotalVariation(1.0, 1.0), TotalVariation(1.0), AlphaNorm(1.0)])
def test_gradients_are_finite_where_nothing_changes(penalty):
    np.testing.assert_array_equal(gradient_of(penalty, np.full((1, 3, 3, 2), 0.5, np.float32)), 0)


def test_weights_are_leaves():
    assert jax.tree.leaves(TotalVariation(2.0, 1.0)) == [2.0, 1.0]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TotalVariation(-1.0), "weight=-1.0"),
        (lambda: TotalVariation(1.0, beta=0.0), "beta=0.0: expected a finite exponent above 0"),
        (lambda: AlphaNorm(float("nan")), "weight=nan"),
        (lambda: AlphaNorm(1.0, alpha=1), "alpha=1: expected a finite exponent above 1"),
    ],
)
def test_penalties_that_make_no_sense_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()

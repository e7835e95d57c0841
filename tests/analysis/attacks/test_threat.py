import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis.attacks import L1, L2, Linf

SHAPE = (3, 2, 2)
ORDERS = {Linf: np.inf, L2: 2, L1: 1}
BALLS = pytest.mark.parametrize("ball", ORDERS)


def values(seed, scale=1.0):
    return jnp.asarray(np.random.default_rng(seed).normal(0, scale, SHAPE), jnp.float32)


def length(ball, delta):
    return np.linalg.norm(np.asarray(delta, np.float64).ravel(), ORDERS[ball])


@BALLS
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_norm_and_ascent_keep_their_length_at_any_scale(ball, scale):
    gradient = values(0, scale)
    np.testing.assert_allclose(ball(1.0).norm(gradient), length(ball, gradient), rtol=1e-5)
    np.testing.assert_allclose(length(ball, ball(1.0).ascend(gradient)), 1, rtol=1e-5)


@pytest.mark.parametrize(("ball", "dual"), [(Linf, 1), (L2, 2), (L1, np.inf)])
def test_ascent_is_steepest(ball, dual):
    gradient = values(1)
    gain = np.vdot(np.asarray(gradient), np.asarray(ball(1.0).ascend(gradient)))
    np.testing.assert_allclose(gain, np.linalg.norm(np.asarray(gradient).ravel(), dual), rtol=1e-5)
    np.testing.assert_allclose(gain, ball(1.0).dual_norm(gradient), rtol=1e-5)


@BALLS
def test_a_zero_gradient_gives_no_step(ball):
    assert not ball(1.0).ascend(jnp.zeros(SHAPE)).any()
    assert not ball(1.0).project(jnp.zeros(SHAPE)).any()


@BALLS
def test_projection(ball):
    inside, outside = values(2, 0.01), values(3, 9.0)
    threat = ball(0.5)
    np.testing.assert_array_equal(threat.project(inside), inside)
    nearest = np.asarray(threat.project(outside))
    assert length(ball, nearest) <= 0.5 * (1 + 1e-6)
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = rng.normal(size=SHAPE)
        other *= 0.5 / length(ball, other)
        assert np.linalg.norm(outside - nearest) <= np.linalg.norm(outside - other)
    assert not np.asarray(ball(0.0).project(outside)).any()


@BALLS
def test_random_starts_fill_the_ball(ball):
    keys = jax.random.split(jax.random.key(0), 2000)
    starts = np.asarray(jax.jit(jax.vmap(lambda key: ball(0.5).random_start(key, SHAPE)))(keys))
    lengths = np.array([length(ball, start) for start in starts]) / 0.5
    assert lengths.max() <= 1 + 1e-6
    size = np.prod(SHAPE)
    # E[r] of a uniform ball, within three standard errors of 0.0016; the key decides the draw, not the machine.
    np.testing.assert_allclose(lengths.mean(), size / (size + 1), atol=0.005)
    np.testing.assert_allclose(starts.mean(0), 0, atol=0.05)


@BALLS
@pytest.mark.parametrize(
    "eps", [-0.1, np.nan, np.inf, np.float32(-1), jnp.float32(-1), 1j, "8/255", True, np.array([1j])]
)
def test_a_radius_that_is_none(ball, eps):
    with pytest.raises(ValueError, match=f"{ball.__name__}.*non-negative radius"):
        ball(eps)


@BALLS
def test_a_threat_is_a_pytree_of_its_radius(ball):
    assert jax.tree.leaves(ball(0.25)) == [0.25]
    assert ball(0.25) == ball(0.25) != ball(0.5)
    structures = [jax.tree.structure(other(0.25)) for other in ORDERS]
    assert structures.count(jax.tree.structure(ball(0.5))) == 1, "norms share no compiled program"
    lengths = jax.vmap(lambda threat: threat.norm(threat.project(jnp.full(SHAPE, 9.0))))(ball(jnp.array([0.1, 0.2])))
    np.testing.assert_allclose(lengths, [0.1, 0.2], rtol=1e-4 if ball is L1 else 1e-6)


def test_steps_in_the_l1_ball_move_the_largest_percent():
    gradient = np.random.default_rng(0).normal(size=(20, 20, 1)).astype(np.float32)
    largest = np.sort(np.abs(gradient).ravel())[-4:].min()
    expected = np.sign(gradient) * (np.abs(gradient) >= largest) / 4
    np.testing.assert_array_equal(L1(1.0).ascend(gradient), expected)
    assert np.count_nonzero(L1(1.0).ascend_along(gradient, 0.5)) == 200
    assert np.count_nonzero(L1(1.0).ascend(jnp.ones((20, 20, 1)))) == 400, "equal values move together"


def nearest_in_float64(ball, image, centre, eps):
    """Bisection on the multiplier of the nearest image in the ball and in [0, 1]."""
    image, centre = image.astype(np.float64), centre.astype(np.float64)
    size, room = np.abs(image - centre), np.where(image > centre, 1 - centre, centre)

    def at(multiplier):
        return np.clip(size - multiplier if ball is L1 else size / (1 + multiplier), 0, room)

    low, high = 0.0, 1e4
    if length(ball, at(0)) <= eps:
        high = 0.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if length(ball, at(middle)) > eps else (low, middle)
    return centre + np.sign(image - centre) * at(high)


@pytest.mark.parametrize("ball", [L1, L2])
@pytest.mark.parametrize("eps", [0.0, 0.3, 2.0, 50.0])
def test_the_nearest_image_in_ball_and_box(ball, eps):
    rng = np.random.default_rng(0)
    centre = np.clip(rng.normal(0.5, 0.5, (8, 5, 5, 1)), 0, 1).astype(np.float32)  # a third of it at 0 or 1
    image = (centre + rng.normal(0, 0.4, centre.shape)).astype(np.float32)
    result = np.asarray(jax.vmap(ball(eps).nearest_image)(image, centre))
    expected = np.stack([nearest_in_float64(ball, *pair, eps) for pair in zip(image, centre, strict=True)])
    np.testing.assert_allclose(result, expected if eps else centre, atol=5e-7 if eps else 0)

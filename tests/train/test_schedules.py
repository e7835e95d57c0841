import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train.schedules import SCHEDULES, after_evaluation, plateau, schedule


def test_warm_up_then_cosine():
    rate = schedule("cosine", 0.4, warmup=4, updates=24)
    expected = [0.1, 0.2, 0.3, 0.4] + [0.2 * (1 + np.cos(np.pi * step / 20)) for step in range(21)]
    np.testing.assert_allclose(jax.vmap(rate)(np.arange(25, dtype=np.float32)), expected, atol=1e-7)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 1, 9])
def test_every_schedule_reaches_its_peak_and_stays_positive(name, warmup):
    rate = schedule(name, 0.1, warmup=warmup, updates=10)
    values = np.array([float(rate(step)) for step in range(10)])
    assert values.max() == pytest.approx(0.1)
    assert values.min() > 0


@pytest.mark.parametrize("name", ["constant", "plateau"])
def test_constant_stays(name):
    rate = schedule(name, 0.1, warmup=0, updates=10)
    assert [float(rate(step)) for step in range(10)] == pytest.approx([0.1] * 10)


def test_steps_come_at_half_and_three_quarters_after_the_warm_up():
    rate = schedule("step", 0.1, warmup=2, updates=10)
    values = [float(rate(step)) for step in range(10)]
    assert values == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([1.0, 0.9, 0.8], 1),
        ([1.0, 1.0], 1),
        ([1.0, 1.0, 1.0], 0.1),  # as Keras' after 2; PyTorch's would wait for one more
        ([1.0, 1.0, 0.5, 0.5], 1),
        ([1.0, np.nan, np.nan], 0.1),
        ([1.0, 1.0, 1.0, 1.0, 1.0], 0.01),
    ],
)
def test_a_plateau_cuts_after_patience_evaluations_without_a_lower_loss(losses, scale):
    state = plateau(patience=2).init(jnp.zeros(1))
    for loss in losses:
        state = after_evaluation(state, 2, loss)
    assert not any(leaf.weak_type for leaf in state)
    assert float(state.scale) == pytest.approx(scale)

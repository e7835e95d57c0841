import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from train.optimizers import OPTIMIZERS, SCHEDULES, schedule

PARAMS = {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([3.0])}
GRADIENTS = [
    {"kernel": jnp.array([[0.5, 0.25]]), "bias": jnp.array([-1.0])},
    {"kernel": jnp.array([[-0.5, 1.0]]), "bias": jnp.array([2.0])},
]


def descend(name, rate, decay):
    optimizer = OPTIMIZERS[name].build(optax.constant_schedule(rate), decay)
    params, state = PARAMS, optimizer.init(PARAMS)
    update = jax.jit(optimizer.update)
    for gradients in GRADIENTS:
        moves, state = update(gradients, state, params)
        params = optax.apply_updates(params, moves)
    return jax.tree.map(np.asarray, params)


def test_sgd_is_heavy_ball_with_decayed_kernels():
    params = descend("sgd", rate=0.1, decay=0.01)
    for name, decay in (("kernel", 0.01), ("bias", 0.0)):
        w, m = np.asarray(PARAMS[name], np.float64), 0.0
        for gradients in GRADIENTS:
            m = 0.9 * m + np.asarray(gradients[name]) + decay * w
            w = w - 0.1 * m
        np.testing.assert_allclose(params[name], w, rtol=1e-6)


def test_adamw_decays_kernels_apart_from_the_gradient():
    with jax.numpy_dtype_promotion("standard"):  # optax itself promotes here
        params = descend("adamw", rate=0.1, decay=0.01)
    for name, decay in (("kernel", 0.01), ("bias", 0.0)):
        w, m, v = np.asarray(PARAMS[name], np.float64), 0.0, 0.0
        for step, gradients in enumerate(GRADIENTS, start=1):
            g = np.asarray(gradients[name], np.float64)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - 0.1 * (m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + decay * w)
        np.testing.assert_allclose(params[name], w, rtol=1e-5)


def test_warm_up_then_cosine():
    rate = schedule("cosine", 0.4, warmup_steps=4, steps=24)
    expected = [0.1, 0.2, 0.3, 0.4] + [0.2 * (1 + np.cos(np.pi * step / 20)) for step in range(21)]
    np.testing.assert_allclose(jax.vmap(rate)(np.arange(25, dtype=np.float32)), expected, atol=1e-7)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 1, 9])
def test_every_schedule_reaches_its_peak_and_stays_positive(name, warmup):
    rate = schedule(name, 0.1, warmup_steps=warmup, steps=10)
    values = np.array([float(rate(step)) for step in range(10)])
    assert values.max() == pytest.approx(0.1)
    assert values.min() > 0


def test_constant_stays():
    rate = schedule("constant", 0.1, warmup_steps=0, steps=10)
    assert [float(rate(step)) for step in range(10)] == pytest.approx([0.1] * 10)

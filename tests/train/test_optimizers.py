import jax
import jax.numpy as jnp
import numpy as np
import optax

from train.optimizers import OPTIMIZERS

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

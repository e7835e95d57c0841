import jax.numpy as jnp
import numpy as np
import pytest

from train.averaging import average


def test_early_averages_let_the_start_go_and_late_ones_decay_as_asked():
    ema = {"w": jnp.ones(2)}
    assert np.asarray(average(ema, {"w": jnp.zeros(2)}, 0.999, 0)["w"]) == pytest.approx([0.1, 0.1])
    assert np.asarray(average(ema, {"w": jnp.zeros(2)}, 0.999, 10**6)["w"]) == pytest.approx([0.999, 0.999])


def test_types_stay():
    assert average(jnp.ones(2, jnp.bfloat16), jnp.zeros(2, jnp.bfloat16), 0.9, jnp.int32(3)).dtype == jnp.bfloat16

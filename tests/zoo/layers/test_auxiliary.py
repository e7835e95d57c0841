import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers import ConvNorm, NoNorm
from zoo.layers.auxiliary import AuxiliaryHead, Chain


class MeanHead(AuxiliaryHead):
    def _logits(self, x, train):
        return nn.Dense(self.num_classes, name="head")(x.mean((1, 2)))


def test_a_head_hands_its_input_on_and_sows_in_training_only(normal):
    x = jnp.asarray(normal(2, 3, 3, 4))
    head = MeanHead(num_classes=5)
    variables = head.init(jax.random.key(0), x)
    assert set(variables) == {"params"}
    y, state = head.apply(variables, x, mutable=["aux_logits"])
    assert not state
    for _ in range(2):
        y, state = head.apply({**variables, **state}, x, True, mutable=["aux_logits"])
        np.testing.assert_array_equal(y, x)
        (logits,) = jax.tree.leaves(state)
        expected = np.asarray(x).mean((1, 2)) @ variables["params"]["head"]["kernel"]
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
        state = {"aux_logits": jax.tree.map(jnp.zeros_like, state["aux_logits"])}


def test_a_chain_is_its_links_one_after_the_other_under_their_names(normal):
    x = jnp.asarray(normal(1, 4, 4, 2))
    links = tuple((name, functools.partial(ConvNorm, 2, 1, norm=NoNorm())) for name in ("first", "second"))
    y, variables = Chain(links).init_with_output(jax.random.key(0), x)
    expected = np.asarray(x)
    for name in ("first", "second"):
        expected = np.maximum(expected @ np.asarray(variables["params"][name]["conv"]["kernel"])[0, 0], 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

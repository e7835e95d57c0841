import jax
import jax.numpy as jnp
import numpy as np

from zoo.architectures.network_in_network import GAPNet
from zoo.layers import NoNorm


def test_class_activation_maps_of_a_gap_net_average_to_its_logits(filled):
    model = GAPNet((4, 8), num_classes=3, norm=NoNorm())
    images = jnp.asarray(np.random.default_rng(0).random((2, 8, 12, 3), np.float32))
    variables = filled(model, images)
    logits, features = jax.jit(lambda v, x: (model.apply(v, x), model.apply(v, x, method="features")))(
        variables, images
    )
    head = variables["params"]["head"]
    maps = np.asarray(features["stage2"]) @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
    assert maps.shape == (2, 4, 6, 3)
    np.testing.assert_allclose(maps.mean((1, 2)), logits, rtol=1e-5, atol=1e-6)

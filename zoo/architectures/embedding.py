"""Embedding networks: images as points on a sphere, similar ones close together.

Reference: Schroff, Kalenichenko & Philbin, 2015, arXiv:1503.03832.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.backbone import OnBackbone
from zoo.layers.pooling import global_avg_pool
from zoo.variant import Paper, Variant


class EmbeddingNet(OnBackbone):
    """A backbone, mean over space, linear map, projection onto the unit sphere.

    Attributes:
      backbone, act, norm, dtype: those of `zoo.layers.backbone.OnBackbone`.
      num_classes: dimensions of the embedding; 0: the pooled features on the sphere.

    Example:
      >>> import zoo
      >>> model = zoo.create("embedding_resnet18", backbone="mobilenet_v2", num_classes=64)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 64)
    """

    num_classes: int = 128

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) unit vectors."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        if self.num_classes:
            x = nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)
        square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
        return x * jax.lax.rsqrt(jnp.maximum(square, jnp.asarray(1e-12, x.dtype)))


PAPER = Paper("FaceNet: A Unified Embedding for Face Recognition and Clustering", 2015, "arXiv:1503.03832")

VARIANTS = {
    "embedding_resnet18": Variant(
        EmbeddingNet, {"backbone": "resnet18"}, PAPER, note="128 dimensions as in the paper, on a ResNet-18"
    )
}

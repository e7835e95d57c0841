"""A network whose every number is known, and images for it."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from analysis import report
from analysis.network import Network

CLASSES = ("dark", "red & <warm>", "green", "blue")
SETTINGS = report.Settings(
    explained=4,
    hardest=5,
    attacked=16,
    fooled=3,
    nearest_steps=16,
    patched=3,
    patch_steps=4,
    explored=6,
    layers=2,
    units=2,
    exemplars=3,
    ascent=2,
    inverted=2,
    descent=2,
    epsilons=(0.0, 8 / 255, 0.4),
    steps=2,
    batch_size=8,
)


def scenes(count=24, size=8):
    """Images whose class is their brightest channel, or none."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 4
    images = generator.uniform(0.2, 0.3, (count, size, size, 3))
    for image, label in zip(images, labels, strict=True):
        if label:
            image[2:6, 2:6, label - 1] += 0.3
    return images.astype(np.float32), labels.astype(np.int32)


class Brightest(nn.Module):
    """Means of the channels, from 20 times the pixels as the output of a layer that could be one of many."""

    act: object = None

    @nn.compact
    def __call__(self, images, train=False):
        x = nn.Conv(3, (1, 1), use_bias=False, name="stage1")(images)
        x = (self.act or nn.relu)(nn.Conv(3, (1, 1), use_bias=False, name="stage2")(x))
        return jnp.concatenate([jnp.full((len(images), 1), 20 * 0.29), x.mean((1, 2))], axis=1)


VARIABLES = {
    "params": {
        "stage1": {"kernel": jnp.eye(3).reshape(1, 1, 3, 3)},
        "stage2": {"kernel": 20 * jnp.eye(3).reshape(1, 1, 3, 3)},
    }
}
NETWORK = Network(Brightest(), VARIABLES)


def brightest(images):
    means = images.mean((1, 2))
    return 20 * jnp.concatenate([jnp.full((len(images), 1), 0.29), means], axis=1)

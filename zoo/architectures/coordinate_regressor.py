"""Coordinate regression: a network that averages over space and still predicts a position.

Reference: Liu et al., 2018, arXiv:1807.03247.
"""

from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.coordinate import add_coordinates
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.variant import Paper, Variant


class CoordinateRegressor(nn.Module):
    """Coordinates appended to the image, convolutions without padding, mean over space, two dense layers.

    Without the coordinates nothing in it knows where it is: there is no padding to tell the border,
    and the mean over space forgets the rest.

    Attributes:
      widths: features of the stages; each halves the image.
      coordinates: append row and column to the image; off: the control.
      num_classes: width of the output: row and column of the object's centre, as fractions of the
        image's height and width; 0: the last hidden layer.
      act: the activation everywhere; None: ReLU.
      norm: the normalization of the convolutions.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = CoordinateRegressor()
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 2)
    """

    widths: tuple[int, ...] = (32, 64, 64)
    coordinates: bool = True
    num_classes: int = 2
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name: (N, H, W, C) images."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x = add_coordinates(images) if self.coordinates else images
        x, stages = ConvNorm(self.widths[0], 1, name="stem", **shared)(x, train), dict[str, jax.Array]()
        for index, width in enumerate(self.widths, start=1):
            x = stages[f"stage{index}"] = ConvNorm(width, 3, 2, "VALID", name=f"stage{index}", **shared)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, 2) rows and columns."""
        *_, x = self.features(images, train).values()
        x = nn.Dense(self.widths[-1], dtype=self.dtype, name="dense")(global_avg_pool(x))
        x = (self.act or nn.relu)(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper(
    "An Intriguing Failing of Convolutional Neural Networks and the CoordConv Solution", 2018, "arXiv:1807.03247"
)

VARIANTS = {
    "coordinate_regressor": Variant(
        CoordinateRegressor, {}, PAPER, (64, 64, 3), note="outputs are a row and a column, as fractions of the image"
    )
}

"""A model that can be looked into, and its layers from shallow to deep."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import taps
from analysis.attribution.grad_cam import is_spatial, spatial_layer


class Network(NamedTuple):
    """A Linen model with what belongs to it; `method(*network[:2], images, ..., preprocess=network.preprocess)`.

    Attributes:
      model: any Linen module from images to logits.
      variables: its variables.
      preprocess: what stands between images in [0, 1] and the model; None: nothing.
    """

    model: nn.Module
    variables: Any
    preprocess: Callable[[jax.Array], jax.Array] | None = None

    @property
    def logits_fn(self) -> Partial:
        """(N, H, W, C) images in [0, 1] → (N, classes) logits."""
        return taps.logits_fn(*self)

    def input_form(self, image_shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
        """Shape and type of what the model takes for one (H, W, C) image."""
        return taps.input_form(jax.ShapeDtypeStruct((1, *image_shape), jnp.float32), self.preprocess)

    def spatial_layer(self, image_shape: tuple[int, ...], layer: str | None = None) -> str:
        """The path of a layer with spatial extent, by path or ending; None: the last stage.

        Raises:
          ValueError: a layer that is unknown, ambiguous or without spatial extent, or a model that has none.
        """
        return spatial_layer(self.model, self.variables, self.input_form(image_shape), layer)

    def depths(self, image_shape: tuple[int, ...], most: int = 4) -> tuple[str, ...]:
        """Layers with spatial extent to look at, the shallowest first.

        Args:
          image_shape: (H, W, C) of the images.
          most: layers wanted at most; of more, an even choice with the first and the last.

        Returns:
          Paths: `stem` and the stages, of the outermost module that has stages; else the outermost layers; none
          where nothing has spatial extent.

        Example:
          >>> model = nn.Sequential([nn.Conv(2, (3, 3)), nn.relu, nn.Conv(4, (3, 3)), lambda x: x.mean((1, 2))])
          >>> variables = jax.eval_shape(model.init, jax.random.key(0), jnp.ones((1, 6, 6, 1)))
          >>> Network(model, variables).depths((6, 6, 1))
          ('layers_0', 'layers_2')
        """
        forms = taps.list(self.model, self.variables, self.input_form(image_shape))
        spatial = [path for path, form in forms.items() if is_spatial(form)]
        staged = [path for path in spatial if re.fullmatch(r"(?:.*/)?(?:stem|stage\d+)", path)]
        staged = staged if any("stage" in path for path in staged) else spatial
        level = min((path.count("/") for path in staged), default=0)
        found = [path for path in staged if path.count("/") == level]
        chosen = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
        return tuple(found[index] for index in chosen)

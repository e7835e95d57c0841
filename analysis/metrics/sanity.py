"""The sanity check of attribution: a map that outlives the weights does not explain them.

Reference: Adebayo et al., 2018, arXiv:1810.03292.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from analysis import checks
from analysis.metrics.similarity import rank_correlation, structural_similarity
from analysis.network import Network
from convzoo.checks import choice, did_you_mean
from convzoo.checks import key as check_key


class Randomisation(NamedTuple):
    """The similarity of the maps of a trained and of a randomised model, layer by layer.

    Attributes:
      layers: (L,) from the logits downwards.
      rank_correlation: (L, N) Spearman's, of magnitudes: a change of sign alone is no other map.
      structural_similarity: (L, N), of magnitudes.
    """

    layers: tuple[str, ...]
    rank_correlation: jax.Array
    structural_similarity: jax.Array


def randomisation(
    method: Callable[[nn.Module, Any, Any, Any], jax.Array],
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    key: jax.Array,
    order: Literal["cascade", "independent"] = "cascade",
    layers: Iterable[str] | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
) -> Randomisation:
    """Compare a method's maps with those after layers have lost what they learned.

    A randomised layer has the variables that the model's own `init` gives it.

    Args:
      method: (model, variables, images, labels) → (N, H, W) maps; see `of_logits` for one that takes a function.
      model: a Linen module.
      variables: its trained variables.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class of each map.
      key: from `jax.random.key`, of the random variables.
      order: `"cascade"`: each layer and all above it; `"independent"`: each layer alone.
      layers: paths of modules with variables, from the logits downwards; None: all direct children.
      preprocess: a function from images to what the model takes, for its shape; None: the images themselves.

    Returns:
      A `Randomisation`. A method that passes falls to a correlation of about 0.

    Raises:
      ValueError: images, key or choices that are not of the above, or a layer without variables.

    Example:
      >>> model = nn.Sequential([nn.Conv(2, (1, 1)), lambda x: x.mean((1, 2))])
      >>> variables = model.init(jax.random.key(0), jnp.ones((1, 2, 2, 1)))
      >>> blind = lambda model, variables, images, labels: images[..., 0]
      >>> image = jnp.array([[[[0.0], [0.25]], [[0.5], [1.0]]]])
      >>> result = randomisation(blind, model, variables, image, [1], jax.random.key(1))
      >>> result.layers, result.rank_correlation.round(4).tolist()
      (('layers_0',), [[1.0]])
    """
    choice("order", order, ("cascade", "independent"))
    check_key("key", key)
    images = checks.as_images(images)
    network = Network(model, variables, preprocess)
    checks.finite(network)
    trained = flatten_dict(variables, sep="/")
    names = tuple(_children(network, images, trained) if layers is None else layers)
    held = {name: [path for path in trained if _belongs(path, name)] for name in names}
    for name, paths in held.items():
        if not paths:
            choices = dict.fromkeys("/".join(path.split("/")[1:-1]) for path in trained)
            raise ValueError(f"layer {name!r} of {type(model).__name__} has no variables{did_you_mean(name, choices)}")
    fresh = flatten_dict(_initial(network, key, jnp.asarray(images[:1])), sep="/")
    before = jnp.abs(method(model, variables, images, labels))
    alike, changed = [], dict(trained)
    for name in names:
        changed = dict(trained if order == "independent" else changed)
        changed |= {path: fresh[path] for path in held[name]}
        after = jnp.abs(method(model, unflatten_dict(changed, sep="/"), images, labels))
        alike.append((rank_correlation(before, after), structural_similarity(before, after)))
    return Randomisation(names, *(jnp.stack(rows) for rows in zip(*alike, strict=True)))


def of_logits(
    method: Callable[..., jax.Array], preprocess: Callable[[jax.Array], jax.Array] | None = None
) -> Callable[[nn.Module, Any, Any, Any], jax.Array]:
    """A method of a function of images, as one of a model and its variables.

    Args:
      method: (logits_fn, images, labels) → maps.
      preprocess: a function from images to what the model takes; None: the images themselves.

    Returns:
      (model, variables, images, labels) → maps.

    Example:
      >>> from analysis import saliency
      >>> model, image = nn.Sequential([lambda x: x.mean((1, 2)), nn.Dense(2)]), jnp.ones((1, 2, 2, 1))
      >>> of_logits(saliency)(model, model.init(jax.random.key(0), image), image, [0]).shape
      (1, 2, 2)
    """

    def of_model(model, variables, images, labels):
        return method(Network(model, variables, preprocess).logits_fn, images, labels)

    return of_model


@jax.jit
def _initial(network, key, images):
    return network.model.init(key, network.inputs(images))


def _children(network, images, trained):
    """Direct children with variables, the last computed first."""
    names = dict.fromkeys(path.split("/")[0] for path in network.layers(images))
    return [name for name in reversed(names) if any(_belongs(path, name) for path in trained)]


def _belongs(path, layer):
    """Whether `kind/…` is a variable of a layer or of what is inside it."""
    return path.partition("/")[2].startswith(f"{layer}/")

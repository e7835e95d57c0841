"""Features of a trained network for other classifiers."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from convzoo.checks import choice, did_you_mean, integer

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

KINDS = ("logistic", "svm")


def features(
    model: nn.Module,
    variables: Any,
    images: Any,
    layers: Sequence[str],
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    batch_size: int = 128,
) -> np.ndarray:
    """The outputs of layers, averaged over space and side by side.

    Args:
      model: a module of the zoo's signature.
      variables: its variables.
      images: (N, H, W, C) in [0, 1].
      layers: paths of modules, or endings that only one path has, such as `["stage2", "stage3"]`.
      preprocess: normalization of the images; None: they are passed as they are.
      batch_size: images at once.

    Returns:
      (N, sum of the layers' channels) float32.

    Raises:
      ValueError: no layer, an unknown one, or an ending that several layers have.

    Example:
      >>> import zoo
      >>> model = zoo.create("lenet5")
      >>> variables = zoo.init(model, jax.random.key(0), (32, 32, 1))
      >>> features(model, variables, np.zeros((3, 32, 32, 1), np.float32), ["stage1", "dense2"]).shape
      (3, 90)
    """
    integer("batch_size", batch_size)
    if not len(layers):
        raise ValueError("layers=[]: expected at least one")
    images = np.asarray(images)
    prepared = preprocess or (lambda images: images)
    names = jax.eval_shape(lambda batch: _outputs(model, variables, prepared(batch), None), images[:1])
    paths = tuple(_find(layer, [*names]) for layer in layers)
    read = jax.jit(lambda variables, batch: _pooled(_outputs(model, variables, prepared(batch), paths), paths))
    padded = np.concatenate([images, np.repeat(images[:1], -len(images) % batch_size, axis=0)])
    parts = [read(variables, padded[start : start + batch_size]) for start in range(0, len(padded), batch_size)]
    return np.concatenate([np.asarray(part) for part in parts])[: len(images)]


def linear_head(
    features: np.ndarray, labels: np.ndarray, kind: Literal["logistic", "svm"] = "logistic", strength: float = 1.0
) -> "Pipeline":
    """A linear classifier of features, by scikit-learn, after scaling each feature to variance 1.

    Args:
      features: (N, D).
      labels: (N,).
      kind: `"logistic"`: logistic regression; `"svm"`: a linear support vector machine.
      strength: inverse of the regularization, C.

    Returns:
      A fitted scikit-learn pipeline, with `predict` and `score`.

    Raises:
      ValueError: another kind, or what scikit-learn refuses.

    Example:
      >>> linear_head(np.array([[0.0], [1.0]]), np.array([3, 4])).predict([[0.9]]).tolist()
      [4]
    """
    choice("kind", kind, KINDS)
    # Imported here so that `import train` stays light.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    last = (
        LogisticRegression(C=strength, max_iter=2000) if kind == "logistic" else LinearSVC(C=strength, max_iter=20_000)
    )
    return make_pipeline(StandardScaler(), last).fit(features, labels)


def _outputs(model: nn.Module, variables: Any, images: Any, paths: Sequence[str] | None) -> dict[str, Any]:
    """Outputs of modules by path; None: of all."""

    def chosen(module: nn.Module, method: str) -> bool:
        return method == "__call__" and (paths is None or "/".join(module.path) in paths)

    _, captured = model.apply(variables, images, capture_intermediates=chosen, mutable=["intermediates"])
    flat = flatten_dict(captured["intermediates"])
    return {"/".join(path[:-1]): outputs[-1] for path, outputs in flat.items() if path[:-1]}


def _pooled(outputs: dict[str, jax.Array], paths: Sequence[str]) -> jax.Array:
    layers = (outputs[path] for path in paths)
    return jnp.concatenate([x.mean(tuple(range(1, x.ndim - 1))).astype(jnp.float32) for x in layers], axis=-1)


def _find(layer: str, paths: Sequence[str]) -> str:
    if layer in paths:
        return layer
    fits = [path for path in paths if path.endswith(f"/{layer}")]
    if len(fits) != 1:
        reason = (
            f"several layers end so, {', '.join(fits[:3])}" if fits else f"no such layer{did_you_mean(layer, paths)}"
        )
        raise ValueError(f"layers: {layer!r}: {reason}; expected a path or an ending that only one has")
    return fits[0]

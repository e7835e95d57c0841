"""Changing a model and its variables together: pure functions `(model, variables) -> (model, variables)`.

The effect of a change on the variables follows from the shapes of the model before and after it, traced
without computing anything; no function here knows an architecture.
"""

import functools
from collections import defaultdict
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from convzoo.checks import integer
from convzoo.jaxprs import interpret, module_path
from zoo import catalog
from zoo.layers.folded import FoldedNorm
from zoo.variables import image_shape, variable_shapes, variable_structs

Variables = dict[str, Any]
Path = tuple[str, ...]
Shape = tuple[int, int, int]


def with_head(
    model: nn.Module, variables: Variables, num_classes: int, key: jax.Array, input_shape: Shape | None = None
) -> tuple[nn.Module, Variables]:
    """Change the number of classes, with fresh weights for what depends on it: the head, auxiliary heads.

    Args:
      model: a module with a field `num_classes`.
      variables: its variables.
      num_classes: width of the new output; 0: features, without a head.
      key: for the new weights.
      input_shape: (H, W, C) of the images, by default the catalogue's; it matters only to a model without
        layers before its head.

    Returns:
      The model and its variables; all but the new weights are those given.

    Raises:
      ValueError: a model without classes, fewer than 0 of them, or variables of another model.

    Example:
      >>> import zoo
      >>> model = zoo.create("lenet5")
      >>> variables = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (32, 32, 1)))
      >>> changed = jax.eval_shape(lambda v: with_head(model, v, 3, jax.random.key(1))[1], variables)
      >>> changed["params"]["head"]["kernel"].shape
      (84, 3)
    """
    shape = image_shape(input_shape or catalog.input_shape(model))
    changed = _changed(model, num_classes=integer("num_classes", num_classes, 0))
    shapes = variable_shapes(changed, shape)
    wider = variable_shapes(_changed(model, num_classes=num_classes + 1), shape)
    fresh = frozenset(path for path, size in shapes.items() if num_classes and wider.get(path) != size)
    old = flatten_dict(variables)
    _refuse_missing(model, shapes.keys() - fresh - old.keys())
    kept = {path: old[path] for path in shapes if path not in fresh}
    return changed, unflatten_dict(kept | _initial(changed, key, shape, fresh))


def with_two_classes(
    model: nn.Module, variables: Variables, input_shape: Shape | None = None
) -> tuple[nn.Module, Variables]:
    r"""Change a binary model of one logit z to one of two classes with the logits 0 and z.

    .. math:: \mathrm{softmax}(0, z)_1 = \sigma(z), \qquad
              -\log \mathrm{softmax}(0, z)_y = \log(1 + e^{(1 - 2 y) z})

    So its probability is the sigmoid, its cross-entropy the logistic loss, and every function of this library that
    compares classes serves it.

    Args:
      model: a module with `num_classes=1`.
      variables: its variables.
      input_shape: (H, W, C) of the images, by default the catalogue's; it matters only to models that flatten the
        image.

    Returns:
      The model with `num_classes=2`, and its variables: the weights of class 0 are 0.

    Raises:
      ValueError: a model of more classes or without any, or variables of another model.

    Example:
      >>> import zoo
      >>> model = zoo.create("lenet5", num_classes=1)
      >>> variables = zoo.init(model, jax.random.key(0), (32, 32, 1))
      >>> with_two_classes(model, variables)[1]["params"]["head"]["bias"].tolist()
      [0.0, 0.0]
    """
    changed = _changed(model, num_classes=2)
    if getattr(model, "num_classes", None) != 1:
        raise ValueError(f"num_classes={getattr(model, 'num_classes', None)}: expected a model of one logit")
    shape = image_shape(input_shape or catalog.input_shape(model))
    before, after = variable_shapes(model, shape), variable_shapes(changed, shape)
    flat = flatten_dict(variables)
    _refuse_missing(model, before.keys() - flat.keys())
    for path in (path for path, size in before.items() if size != after[path]):
        flat[path] = jnp.pad(flat[path], [(0, 0)] * (flat[path].ndim - 1) + [(1, 0)])
    return changed, unflatten_dict(flat)


def with_input_channels(
    model: nn.Module, variables: Variables, channels: int, input_shape: Shape | None = None
) -> tuple[nn.Module, Variables]:
    r"""Change the number of image channels, by repeating or summing the weights of the old channels.

    With more channels, new channel j reads what old channel j mod C read, divided by the number of new
    channels that do; with fewer, it reads the sum of what old channels j, j + C', … read. So one channel
    gets the sum of the weights, and the result equals the old model's on an image whose channels are repeated
    in that order: a grey image, in particular.

    Args:
      model: any module that looks at its images through convolutions or a dense layer.
      variables: its variables.
      channels: of the new images.
      input_shape: (H, W, C) of the old images, by default the catalogue's, whatever its C; it matters only
        to models that flatten the image.

    Returns:
      The model, which is the same, and its variables.

    Raises:
      ValueError: fewer channels than one, or weights whose input is not the image's channels alone.

    Example:
      >>> import zoo
      >>> model = zoo.create("resnet20")
      >>> variables = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (32, 32, 3)))
      >>> changed = jax.eval_shape(lambda v: with_input_channels(model, v, 1)[1], variables)
      >>> changed["params"]["stem"]["conv"]["kernel"].shape
      (3, 3, 1, 16)
    """
    height, width, old_channels = image_shape(input_shape or catalog.input_shape(model))
    image_shape((height, width, channels))
    before = variable_shapes(model, (height, width, old_channels))
    after = variable_shapes(model, (height, width, old_channels + 1))
    flat = flatten_dict(variables)
    _refuse_missing(model, before.keys() - flat.keys())
    for path, size in before.items():
        if size == after[path]:
            continue
        pixels = after[path][-2] - size[-2]
        inputs = flat[path].shape[-2]
        if size[-2] != pixels * old_channels or inputs % pixels:
            raise ValueError(
                f"{'/'.join(path)} has {inputs} inputs, which are not the channels of {pixels} pixel(s) alone: "
                "give input_shape, or retrain it"
            )
        flat[path] = _spread(flat[path], inputs // pixels, channels)
    return model, unflatten_dict(flat)


def _spread(kernel: jax.Array, old: int, new: int) -> jax.Array:
    if new < old:
        share = np.eye(new)[np.arange(old) % new].T
    else:
        share = np.eye(old)[np.arange(new) % old]
        share /= share.sum(axis=0)
    *outer, inputs, outputs = kernel.shape
    split = kernel.reshape(*outer, inputs // old, old, outputs)
    spread = jnp.einsum("no,...of->...nf", jnp.asarray(share, kernel.dtype), split)
    return spread.reshape(*outer, inputs // old * new, outputs)


def dense_to_conv(model: nn.Module, variables: Variables) -> tuple[nn.Module, Variables]:
    """Convert dense layers to convolutions, so that a larger image gives a map of predictions.

    Args:
      model: a module with a field `convolutional`: AlexNet, VGG.
      variables: its variables.

    Returns:
      The model, whose output is (N, H', W', num_classes), and its variables: the same numbers, reshaped. On
      images of the size that the model was made for, H' = W' = 1.

    Raises:
      ValueError: a model without dense layers over its last maps, or variables of another model.

    Example:
      >>> import zoo
      >>> model = zoo.create("alexnet", num_classes=10)
      >>> variables = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (224, 224, 3)))
      >>> jax.eval_shape(lambda v: dense_to_conv(model, v)[1], variables)["params"]["dense1"]["kernel"].shape
      (6, 6, 256, 4096)

    Reference: Long, Shelhamer & Darrell, 2014, arXiv:1411.4038.
    """
    changed = _changed(model, convolutional=True)
    shape = catalog.input_shape(model)
    before, after = variable_shapes(model, shape), variable_shapes(changed, shape)
    flat = flatten_dict(variables)
    _refuse_missing(model, after.keys() - flat.keys())
    return changed, unflatten_dict(
        {path: leaf.reshape(after[path]) if before[path] != after[path] else leaf for path, leaf in flat.items()}
    )


def with_output_stride(model: nn.Module, variables: Variables, output_stride: int) -> tuple[nn.Module, Variables]:
    """Make the last maps finer with the same weights: later stages dilate instead of striding.

    Args:
      model: a module with a field `output_stride`.
      variables: its variables, which stay as they are.
      output_stride: pixels of the image between neighbours on the last map, such as 8 or 16.

    Returns:
      The model and the variables. Every k-th position of its maps, k being the ratio of the strides, equals
      the map before.

    Raises:
      ValueError: a model that cannot do this, or a stride that it does not know.

    Example:
      >>> import zoo
      >>> with_output_stride(zoo.create("resnet50"), {}, 8)[0].output_stride
      8

    Reference: Chen et al., 2017, arXiv:1706.05587.
    """
    changed = _changed(model, output_stride=integer("output_stride", output_stride))
    variable_shapes(changed, catalog.input_shape(model))  # refuses an impossible stride before anything is compiled
    return changed, variables


def fold_batch_norm(model: nn.Module, variables: Variables) -> tuple[nn.Module, Variables]:
    r"""Fold batch normalization, as in evaluation, into the weights before it.

    Where it alone reads the output of a convolution or dense layer, its scale goes into that kernel and a
    bias is left; elsewhere it becomes a scale and a bias. `model.norm.scaled` names the latter.

    Args:
      model: a module whose `norm` is a batch normalization; any other is returned unchanged.
      variables: its variables.

    Returns:
      The model, with `norm=FoldedNorm(...)`, and its variables, without `batch_stats`.

    Raises:
      ValueError: variables of another model, or normalizations that its `norm` field does not reach.

    Example:
      >>> import zoo
      >>> model = zoo.create("resnet20")
      >>> variables = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), (32, 32, 3)))
      >>> changed = jax.eval_shape(lambda v: fold_batch_norm(model, v)[1], variables)
      >>> sorted(changed), sorted(changed["params"]["stem"]["norm"])
      (['params'], ['bias'])
    """
    shape = catalog.input_shape(model)
    norms = _batch_norms(model, shape)
    if not norms:
        return model, variables
    flat = flatten_dict(variables)
    _refuse_missing(model, variable_shapes(model, shape).keys() - flat.keys())
    folded = {path: leaf for path, leaf in flat.items() if path[0] == "params"}
    for norm, (epsilon, layer) in norms.items():
        scale, bias = folded.pop(("params", *norm, "scale")), folded[("params", *norm, "bias")]
        mean, variance = (flat[("batch_stats", *norm, name)] for name in ("mean", "var"))
        factor = scale * jax.lax.rsqrt(variance + epsilon)
        folded[("params", *norm, "bias")] = bias - factor * mean
        if layer is None:
            folded[("params", *norm, "scale")] = factor
            continue
        for name in ("kernel", "bias"):
            if (path := ("params", *layer, name)) in folded:
                leaf = folded[path]
                folded[path] = leaf * factor.reshape((1,) * (leaf.ndim - 1) + (-1,))
    scaled = tuple(sorted("/".join(norm) for norm, (_, layer) in norms.items() if layer is None))
    changed = _changed(model, norm=FoldedNorm(scaled))
    if strays := variable_shapes(changed, shape).keys() ^ folded.keys():
        raise ValueError(f"{_listed(strays)}: a normalization that the model's norm field does not reach")
    return changed, unflatten_dict(folded)


def _batch_norms(model: nn.Module, shape: Shape) -> dict[Path, tuple[float, Path | None]]:
    """{batch normalization: (epsilon, the layer whose output it alone reads, or None)}."""
    epsilons: dict[Path, float] = {}

    def note(call, arguments, settings, context):
        if isinstance(context.module, nn.BatchNorm) and context.method_name == "__call__":
            epsilons[context.module.path] = context.module.epsilon
        return call(*arguments, **settings)

    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = variable_structs(model, shape)
    weighted = {path[1:-1] for path in flatten_dict(variables) if path[-1] == "kernel"}
    with nn.intercept_methods(note):
        # A fresh function: one that jit has traced before would hide its layers.
        program = jax.make_jaxpr(lambda variables, image: model.apply(variables, image))(variables, image)
    readers: dict[Path, set[Path]] = defaultdict(set)

    def rule(equation, values, path):
        here = module_path(path)
        for writer in values:
            if writer is not None and writer != here:
                readers[writer].add(here)
        return [here if here in weighted else None] * len(equation.outvars)

    interpret(program, [None] * (len(jax.tree.leaves(variables)) + 1), rule)
    before = {next(iter(those)): layer for layer, those in readers.items() if len(those) == 1}
    return {norm: (epsilon, before.get(norm)) for norm, epsilon in epsilons.items()}


@functools.partial(jax.jit, static_argnames=("model", "shape", "paths"))
def _initial(model: nn.Module, key: jax.Array, shape: Shape, paths: frozenset[Path]) -> dict[Path, jax.Array]:
    variables = flatten_dict(model.init(key, jnp.zeros((1, *shape))))
    return {path: variables[path] for path in paths}


def _changed(model: nn.Module, **fields: Any) -> nn.Module:
    for name in fields:
        if not hasattr(model, name):
            able = [other for other, entry in catalog.CATALOG.items() if hasattr(entry.build, name)]
            families = sorted({catalog.CATALOG[other].build.__name__ for other in able})
            raise ValueError(f"{type(model).__name__} has no field {name!r}: {', '.join(families)} have")
    return model.clone(**fields)


def _refuse_missing(model: nn.Module, missing: Any) -> None:
    if missing:
        raise ValueError(f"these are not the variables of {type(model).__name__}: {_listed(missing)} missing")


def _listed(paths: Any) -> str:
    names = sorted("/".join(path) for path in paths)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")

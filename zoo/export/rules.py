"""Primitives of JAX as nodes of ONNX, for the programs of trained networks.

What depends on weights alone is computed while the graph is made; a rule sees at least one value that depends on
the images.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zoo.export.graph import Graph, Tensor, Value

Rule = Callable[[Graph, Any, Sequence[Any]], Any]

# Primitives that an operator of ONNX computes entry by entry, with JAX's rules of broadcasting: equal shapes.
ENTRYWISE = {
    **{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "max": "Max", "min": "Min", "pow": "Pow"},
    **{"exp": "Exp", "log": "Log", "tanh": "Tanh", "erf": "Erf", "logistic": "Sigmoid", "sqrt": "Sqrt"},
    **{"abs": "Abs", "neg": "Neg", "sign": "Sign", "floor": "Floor", "ceil": "Ceil", "sin": "Sin", "cos": "Cos"},
    **{"eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"},
    **{"and": "And", "or": "Or", "not": "Not", "copy": "Identity", "stop_gradient": "Identity"},
}
REDUCTIONS = {"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin"}


def translate(graph: Graph, equation: Any, values: Sequence[Any]) -> list[Any]:
    """Compute an equation of constants, or add its nodes to the graph.

    Args:
      graph: is extended.
      equation: of a traced program.
      values: of its operands.

    Returns:
      The values of its outputs.

    Raises:
      ValueError: a primitive, or a form of one, without a rule.
    """
    name = equation.primitive.name
    if not any(isinstance(value, Tensor) for value in values):
        outputs = equation.primitive.bind(*values, **equation.params)
        outputs = outputs if equation.primitive.multiple_results else [outputs]
        return [np.asarray(output) for output in outputs]
    if name in ENTRYWISE:
        result: Any = graph.add(ENTRYWISE[name], *values)
    elif name in REDUCTIONS:
        axes = np.array(equation.params["axes"], np.int64)
        result = graph.add(REDUCTIONS[name], values[0], axes, keepdims=0)
    elif name in RULES:
        result = RULES[name](graph, equation, values)
    else:
        raise ValueError(f"{name}: expected a primitive that has a rule for ONNX, such as {', '.join([*RULES][:4])}")
    results = result if isinstance(result, list) else [result]
    return [
        value._replace(shape=tuple(variable.aval.shape), dtype=np.dtype(variable.aval.dtype))
        if isinstance(value, Tensor)
        else value
        for value, variable in zip(results, equation.outvars, strict=True)
    ]


def _refuse(equation: Any, reason: str) -> None:
    raise ValueError(f"{equation.primitive.name}: {reason} has no form in ONNX here")


def _convolve(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    params, (images, kernel) = equation.params, values
    numbers = params["dimension_numbers"]
    if params["batch_group_count"] != 1:
        _refuse(equation, "a convolution over groups of the batch")
    images = graph.transpose(images, numbers.lhs_spec)
    kernel = graph.transpose(kernel, numbers.rhs_spec)
    if any(step > 1 for step in params["lhs_dilation"]):
        images = _spread(graph, images, params["lhs_dilation"])
    images = graph.pad(images, [(0, 0), (0, 0), *map(tuple, params["padding"])])
    result = graph.add(
        "Conv",
        images,
        kernel,
        strides=[*params["window_strides"]],
        dilations=[*params["rhs_dilation"]],
        group=params["feature_group_count"],
    )
    shape = equation.outvars[0].aval.shape
    result = result._replace(shape=tuple(shape[axis] for axis in numbers.out_spec))
    return graph.transpose(result, tuple(np.argsort(numbers.out_spec).tolist()))


def _spread(graph: Graph, images: Tensor, steps: Sequence[int]) -> Tensor:
    """(N, C, *spatial) with zeros between pixels, for transposed convolutions."""
    batch, *sizes = images.shape[0], *images.shape[1:]
    split, pairs, merged = [batch, sizes[0]], [(0, 0), (0, 0)], [batch, sizes[0]]
    for size, step in zip(sizes[1:], steps, strict=True):
        split, pairs, merged = [*split, size, 1], [*pairs, (0, 0), (0, step - 1)], [*merged, size * step]
    wide = graph.reshape(graph.pad(graph.reshape(images, tuple(split)), pairs), tuple(merged))
    return graph.pad(wide, [(0, 0), (0, 0), *((0, 1 - step) for step in steps)])


def _product(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    ranks = [len(value.shape) for value in values]
    plain = (*left,) == (ranks[0] - 1,) and (*right,) == (0,) and ranks[1] == 2 and not left_batch
    if plain:
        return graph.add("MatMul", *values)
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    names = [next(letters) for _ in range(ranks[0])], [""] * ranks[1]
    for here, there in zip((*left, *left_batch), (*right, *right_batch), strict=True):
        names[1][there] = names[0][here]
    names = names[0], [name or next(letters) for name in names[1]]
    kept = [names[0][axis] for axis in left_batch]
    kept += [name for axis, name in enumerate(names[0]) if axis not in (*left, *left_batch)]
    kept += [name for axis, name in enumerate(names[1]) if axis not in (*right, *right_batch)]
    return graph.add("Einsum", *values, equation=f"{''.join(names[0])},{''.join(names[1])}->{''.join(kept)}")


def _pool(kind: str) -> Rule:
    """Windows of two axes at most, which become the spatial ones of ONNX."""

    def rule(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
        params, images = equation.params, values[0]
        window, rank = params["window_dimensions"], len(images.shape)
        axes = [axis for axis in range(rank) if window[axis] > 1 or params["window_strides"][axis] > 1]
        axes += [axis for axis in reversed(range(rank)) if axis not in axes][: max(0, 2 - len(axes))]
        dilated = max(params["window_dilation"]) > 1
        if (
            (dilated and kind == "AveragePool")
            or len(axes) != 2
            or rank != 4
            or any(step > 1 for step in params["base_dilation"])
        ):
            _refuse(equation, f"a window {window}")
        order = (*(axis for axis in range(rank) if axis not in axes), *sorted(axes))
        spatial = order[2:]
        padding = [params["padding"][axis] for axis in range(rank)]
        lowest = -np.inf if kind == "MaxPool" else 0.0
        images = graph.transpose(graph.pad(images, padding, lowest), order)
        settings = {"kernel_shape": [window[axis] for axis in spatial]}
        settings["strides"] = [params["window_strides"][axis] for axis in spatial]
        settings |= {"dilations": [params["window_dilation"][axis] for axis in spatial]} if dilated else {}
        result = graph.add(kind, images, **settings)
        result = result._replace(shape=tuple(equation.outvars[0].aval.shape[axis] for axis in order))
        result = graph.transpose(result, tuple(np.argsort(order).tolist()))
        return result if kind == "MaxPool" else graph.add("Mul", result, np.asarray(math.prod(window), result.dtype))

    return rule


def _broadcast(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    shape, places = equation.params["shape"], equation.params["broadcast_dimensions"]
    inner = [1] * len(shape)
    for axis, place in enumerate(places):
        inner[place] = values[0].shape[axis]
    return graph.add("Expand", graph.reshape(values[0], tuple(inner)), np.array(shape, np.int64))


def _reshape(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    return graph.reshape(values[0], tuple(equation.outvars[0].aval.shape))


def _transpose(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    return graph.transpose(values[0], equation.params["permutation"])


def _pad(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    images, number = values
    pairs = equation.params["padding_config"]
    if isinstance(number, Tensor) or not isinstance(images, Tensor) or any(interior for *_, interior in pairs):
        _refuse(equation, "a padding inside the image or with a computed number")
    return graph.pad(images, [(low, high) for low, high, _ in pairs], number)


def _slice(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    starts, ends = equation.params["start_indices"], equation.params["limit_indices"]
    return graph.slice(values[0], [*starts], [*ends], [*(equation.params["strides"] or [1] * len(starts))])


def _reverse(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    turned, shape = equation.params["dimensions"], values[0].shape
    starts = [size - 1 if axis in turned else 0 for axis, size in enumerate(shape)]
    ends = [-1 if axis in turned else size for axis, size in enumerate(shape)]
    return graph.slice(values[0], starts, ends, [-1 if axis in turned else 1 for axis in range(len(shape))])


def _split(graph: Graph, equation: Any, values: Sequence[Any]) -> list[Any]:
    axis, shape, start, parts = equation.params["axis"], values[0].shape, 0, list[Tensor]()
    for size in equation.params["sizes"]:
        starts = [start if place == axis else 0 for place in range(len(shape))]
        ends = [start + size if place == axis else extent for place, extent in enumerate(shape)]
        parts.append(graph.slice(values[0], starts, ends, [1] * len(shape)))
        start += size
    return parts


def _gather(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    """Rows of one axis, at constant places."""
    images, places = values
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    axes = numbers.start_index_map
    simple = isinstance(places, np.ndarray) and len(axes) == 1 and numbers.collapsed_slice_dims == axes
    whole = all(size == images.shape[axis] for axis, size in enumerate(sizes) if axis not in axes)
    batch = [axis for axis in range(len(equation.outvars[0].aval.shape)) if axis not in numbers.offset_dims]
    if not (simple and whole and batch == [*range(axes[0], axes[0] + len(batch))]):
        _refuse(equation, "indexing by computed places")
    indices = np.clip(places[..., 0], 0, images.shape[axes[0]] - 1).astype(np.int64)
    return graph.add("Gather", images, indices, axis=axes[0])


def _select(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    which, *cases = values
    if len(cases) != 2:
        _refuse(equation, "a choice between more than two cases")
    return graph.add("Where", which, cases[1], cases[0])


def _cast(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    from onnx import helper

    return graph.add("Cast", values[0], to=helper.np_dtype_to_tensor_dtype(np.dtype(equation.params["new_dtype"])))


def _power(graph: Graph, equation: Any, values: Sequence[Any]) -> Value:
    return graph.add("Pow", values[0], np.asarray(equation.params["y"], values[0].dtype))


RULES: dict[str, Rule] = {
    "conv_general_dilated": _convolve,
    "dot_general": _product,
    "reduce_window_max": _pool("MaxPool"),
    "reduce_window_sum": _pool("AveragePool"),
    "broadcast_in_dim": _broadcast,
    **dict.fromkeys(("reshape", "squeeze", "expand_dims"), _reshape),
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    "rev": _reverse,
    "split": _split,
    "gather": _gather,
    "select_n": _select,
    "convert_element_type": _cast,
    "integer_pow": _power,
    "concatenate": lambda graph, equation, values: graph.add("Concat", *values, axis=equation.params["dimension"]),
    "rsqrt": lambda graph, equation, values: graph.add("Reciprocal", graph.add("Sqrt", values[0])),
    "square": lambda graph, equation, values: graph.add("Mul", values[0], values[0]),
    "clamp": lambda graph, equation, values: graph.add("Min", graph.add("Max", values[1], values[0]), values[2]),
}

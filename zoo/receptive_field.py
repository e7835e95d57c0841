"""Theoretical receptive fields, propagated through a traced program.

Reference: Araujo, Norris & Sim, 2019, doi:10.23915/distill.00021.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jax.extend import core

from zoo.layers.arithmetic import extent


class Reach(NamedTuple):
    """The part of an image that one element of an array depends on.

    Attributes:
      axes: which axis of the array runs along the image's height and width; None: none does.
      size: pixels of height and width that one element depends on; infinite: all of them.
      jump: pixels of the image from one element to the next.
    """

    axes: tuple[int | None, int | None]
    size: tuple[float, float]
    jump: tuple[float, float]


WHOLE = Reach((None, None), (math.inf, math.inf), (math.inf, math.inf))


def propagate(equation: core.JaxprEqn, values: Sequence[Reach | None], path: str = "") -> list[Reach | None]:
    """A rule for `convzoo.jaxprs.interpret`: reaches of an equation's outputs; None where no image enters.

    Args:
      equation: of a traced program.
      values: the reaches of its operands.
      path: of its module, which does not matter.

    Returns:
      One reach for each output.
    """
    if all(value is None for value in values):
        return [None] * len(equation.outvars)
    rule = RULES.get(equation.primitive.name, _elementwise)
    reach = rule(equation, list(values))
    return [reach] * len(equation.outvars)


def _shape(atom) -> tuple[int, ...]:
    return tuple(atom.aval.shape)


def _move(reach: Reach, where) -> Reach:
    """Rename axes: `where(axis)` is the new axis, or None where the axis is gone."""
    h, w = (None if axis is None else where(axis) for axis in reach.axes)
    return reach._replace(axes=(h, w))


def _collapse(reach: Reach, axes: Sequence[int]) -> Reach:
    """All elements along `axes` enter each output: they depend on the whole image along them."""
    size = tuple(math.inf if axis in axes else have for axis, have in zip(reach.axes, reach.size, strict=True))
    left = tuple(None if axis in axes else axis for axis in reach.axes)
    return Reach(left, size, reach.jump)  # type: ignore[arg-type]


def _window(reach: Reach, per_axis) -> Reach:
    """Slide a window: `per_axis(axis)` is (spanned elements, stride, base dilation)."""
    size, jump = list(reach.size), list(reach.jump)
    for index, axis in enumerate(reach.axes):
        if axis is not None:
            span, stride, base = per_axis(axis)
            size[index] += (span - 1) // base * jump[index]
            jump[index] *= stride / base
    return Reach(reach.axes, tuple(size), tuple(jump))  # type: ignore[arg-type]


def _merge(reaches: Sequence[Reach | None]) -> Reach:
    """Reach of a value that depends on all of these, aligned with each other."""
    live = [reach for reach in reaches if reach is not None]
    axes, size, jump = [], [], []
    for index in range(2):
        named = [reach for reach in live if reach.axes[index] is not None]
        if len({reach.axes[index] for reach in named}) > 1:
            return WHOLE
        axes.append(named[0].axes[index] if named else None)
        jump.append(max(reach.jump[index] for reach in named or live))
        size.append(max(reach.size[index] for reach in live))
    return Reach(tuple(axes), tuple(size), tuple(jump))  # type: ignore[arg-type]


def _elementwise(equation, values) -> Reach:
    after = _shape(equation.outvars[0])
    for atom, reach in zip(equation.invars, values, strict=True):
        if reach is not None and not _aligned(_shape(atom), after, reach.axes):
            return WHOLE
    return _merge(values) if all(_shape(atom) == after for atom in equation.outvars) else WHOLE


def _aligned(before: tuple[int, ...], after: tuple[int, ...], axes: Sequence[int | None]) -> bool:
    """Whether an operand is repeated to the output's shape, if at all, along axes where the image does not run."""
    if len(before) != len(after):
        return False
    repeated = [axis for axis, size in enumerate(before) if size != after[axis]]
    return all(before[axis] == 1 and axis not in axes for axis in repeated)


def gated(values: Sequence[Reach | None]) -> list[Reach | None]:
    """Select the factors of a product that count; gates, one number for each channel, count only among gates.

    The literature's receptive field is that of the convolutional path. With a squeeze-excite gate on
    the way it would be the whole image, in every such network from the first block on.
    """
    local = [None if reach is None or reach.axes == (None, None) else reach for reach in values]
    return local if any(local) else list(values)


def _product(equation, values) -> Reach:
    return _elementwise(equation, gated(values))


def _gather(equation, values) -> Reach:
    """Planes read along one axis, as in resampling: an output lies between two neighbours and depends on both."""
    reach, indices = values
    numbers, before, after = (
        equation.params["dimension_numbers"],
        _shape(equation.invars[0]),
        _shape(equation.outvars[0]),
    )
    sources = numbers.collapsed_slice_dims
    targets = [axis for axis in range(len(after)) if axis not in numbers.offset_dims]
    if reach is None or indices is not None or (len(sources), len(targets)) != (1, 1):
        return WHOLE
    [source], [target] = sources, targets
    whole = all(
        n == m for axis, (n, m) in enumerate(zip(before, equation.params["slice_sizes"], strict=True)) if axis != source
    )
    if not whole:
        return WHOLE
    size, jump = list(reach.size), list(reach.jump)
    for index, axis in enumerate(reach.axes):
        if axis == source:
            size[index] += jump[index]
            jump[index] *= before[source] / after[target]
    reach = reach._replace(size=tuple(size), jump=tuple(jump))
    return _move(reach, lambda axis: target if axis == source else numbers.offset_dims[axis - (axis > source)])


def _convolution(equation, values) -> Reach:
    image, kernel = values
    if kernel is not None:
        return WHOLE
    params, numbers = equation.params, equation.params["dimension_numbers"]
    source, target = numbers.lhs_spec, numbers.out_spec

    def per_axis(axis):
        spatial = source.index(axis) - 2
        taps = _shape(equation.invars[1])[numbers.rhs_spec[2 + spatial]]
        return (
            extent(taps, params["rhs_dilation"][spatial]),
            params["window_strides"][spatial],
            params["lhs_dilation"][spatial],
        )

    image = _collapse(image, [axis for axis in image.axes if axis in source[:2]])
    return _move(_window(image, per_axis), lambda axis: target[source.index(axis)])


def _reduce_window(equation, values) -> Reach:
    params = equation.params

    def per_axis(axis):
        span = extent(params["window_dimensions"][axis], params["window_dilation"][axis])
        return span, params["window_strides"][axis], params["base_dilation"][axis]

    return _window(_merge(values[:1]), per_axis)


def _slice(equation, values) -> Reach:
    strides = equation.params["strides"]
    return _window(_merge(values), lambda axis: (1, 1 if strides is None else strides[axis], 1))


def _pad(equation, values) -> Reach:
    config = equation.params["padding_config"]
    return _window(_merge(values[:1]), lambda axis: (1, 1, config[axis][2] + 1))


def _reduce(equation, values) -> Reach:
    gone = equation.params["axes"]
    return _move(_collapse(_merge(values), gone), lambda axis: axis - sum(other < axis for other in gone))


def _transpose(equation, values) -> Reach:
    return _move(values[0], equation.params["permutation"].index)


def _broadcast(equation, values) -> Reach:
    before, after = _shape(equation.invars[0]), _shape(equation.outvars[0])
    where = equation.params["broadcast_dimensions"]
    return _move(values[0], lambda axis: where[axis] if after[where[axis]] == before[axis] else None)


def _reshape(equation, values) -> Reach:
    before, after = _shape(equation.invars[0]), _shape(equation.outvars[0])
    kept = {}
    for axis, size in enumerate(before):
        for other, same in enumerate(after):
            if size == same and math.prod(before[:axis]) == math.prod(after[:other]):
                kept[axis] = other
    reach = _collapse(values[0], [axis for axis in values[0].axes if axis is not None and axis not in kept])
    return _move(reach, kept.__getitem__)


def _dot(equation, values) -> Reach:
    contracting, batch = equation.params["dimension_numbers"]
    moved: list[Reach | None] = []
    offset = len(batch[0])
    for side, (atom, reach) in enumerate(zip(equation.invars, values, strict=True)):
        free = [axis for axis in range(len(_shape(atom))) if axis not in (*contracting[side], *batch[side])]
        order = {axis: index for index, axis in enumerate(batch[side])}
        order |= {axis: offset + index for index, axis in enumerate(free)}
        offset += len(free)
        moved.append(None if reach is None else _move(_collapse(reach, contracting[side]), order.__getitem__))
    return _merge(moved)


def _across(axes):
    """A rule for what rearranges an array along some axes: harmless unless the image runs along one of them."""

    def rule(equation, values) -> Reach:
        moved = axes(equation.params)
        return WHOLE if any(value is not None and set(moved) & set(value.axes) for value in values) else _merge(values)

    return rule


RULES = {
    "conv_general_dilated": _convolution,
    "dot_general": _dot,
    "gather": _gather,
    "mul": _product,
    "slice": _slice,
    "pad": _pad,
    "transpose": _transpose,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "broadcast_in_dim": _broadcast,
    "concatenate": _across(lambda params: (params["dimension"],)),
    "split": _across(lambda params: (params["axis"],)),
    "sort": _across(lambda params: (params["dimension"],)),
    "rev": _across(lambda params: params["dimensions"]),
    "tile": _across(lambda params: [axis for axis, times in enumerate(params["reps"]) if times != 1]),
    **dict.fromkeys(
        ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"), _across(lambda params: (params["axis"],))
    ),
    **dict.fromkeys(("reduce_window", "reduce_window_max", "reduce_window_min", "reduce_window_sum"), _reduce_window),
    **dict.fromkeys(
        ("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax", "argmin"),
        _reduce,
    ),
}

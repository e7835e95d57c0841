"""The arithmetic of convolutions: sizes, padding, parameters and receptive fields, from numbers alone.

Nothing here is allocated or compiled, so a wrong geometry is refused before XLA ever sees it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer, is_integer

Sizes = int | Sequence[int]
Padding = str | int | Sequence[int | tuple[int, int]]


def per_axis(value: Sizes, rank: int | None, name: str, minimum: int = 1) -> tuple[int, ...]:
    """Expand one integer, or one for each axis, to one for each axis.

    Args:
      value: an integer, or `rank` of them.
      rank: the number of spatial axes; None: as many as there are integers, and two for a single one.
      name: what the value is called in the error.
      minimum: the smallest integer allowed.

    Returns:
      A tuple of `rank` integers.

    Raises:
      ValueError: wrong length, or an entry that is not an integer of at least `minimum`.

    Example:
      >>> per_axis(3, 2, "kernel_size")
      (3, 3)
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (integer(name, value, minimum),) * (2 if rank is None else rank)
    if rank is not None and len(value) != rank:
        raise ValueError(
            f"{name}={value!r} has {len(value)} entries for {rank} spatial axes: give {rank}, or one integer"
        )
    if not value or not all(is_integer(entry, minimum) for entry in value):
        raise ValueError(f"{name}={value!r}: every entry must be an integer of at least {minimum}")
    return tuple(int(entry) for entry in value)


def extent(kernel_size: int, dilation: int = 1) -> int:
    """The span of a dilated kernel: (k − 1)·d + 1 pixels.

    Example:
      >>> extent(3, dilation=4)
      9
    """
    return (kernel_size - 1) * dilation + 1


def padding_pairs(
    padding: Padding,
    sizes: Sequence[int],
    kernel_size: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> tuple[tuple[int, int], ...]:
    """The padding of every axis as explicit (before, after) pairs.

    `"SAME"` gives ceil(size / stride) outputs, the odd pixel of padding after;
    `"VALID"` pads nothing; an integer pads both sides of every axis.

    Args:
      padding: `"SAME"`, `"VALID"`, an integer, or one integer or (before, after) pair an axis.
      sizes: input size of each spatial axis, in pixels.
      kernel_size, strides, dilation: one integer an axis.

    Returns:
      A (before, after) pair for each axis.

    Raises:
      ValueError: an unknown name, a negative amount or a wrong number of entries.

    Example:
      >>> padding_pairs("SAME", (224,), (3,), (2,), (1,))
      ((0, 1),)
    """
    rank = len(sizes)
    if isinstance(padding, str):
        if padding.upper() == "VALID":
            return ((0, 0),) * rank
        if padding.upper() == "SAME":
            totals = (
                max((-(-size // s) - 1) * s + extent(k, d) - size, 0)
                for size, k, s, d in zip(sizes, kernel_size, strides, dilation, strict=True)
            )
            return tuple((total // 2, total - total // 2) for total in totals)
        raise ValueError(f"padding={padding!r} is unknown: give 'SAME', 'VALID', an integer or (before, after) pairs")
    entries = tuple(padding) if isinstance(padding, Sequence) else (padding,) * rank
    if len(entries) != rank:
        raise ValueError(f"padding={padding!r} has {len(entries)} entries, but there are {rank} spatial axes")
    pairs: list[tuple[Any, ...]] = [
        tuple(entry) if isinstance(entry, Sequence) else (entry, entry) for entry in entries
    ]
    if any(len(pair) != 2 or not all(is_integer(amount, 0) for amount in pair) for pair in pairs):
        raise ValueError(
            f"padding={padding!r}: expected 'SAME', 'VALID', or for every axis a non-negative integer or a "
            "(before, after) pair of them"
        )
    return tuple((int(before), int(after)) for before, after in pairs)


def output_size(
    size: int,
    kernel_size: int,
    strides: int = 1,
    padding: int = 0,
    dilation: int = 1,
    strict: bool = False,
) -> int:
    r"""Outputs of a convolution or pooling along one axis.

    .. math:: \left\lfloor \frac{W - ((F - 1) d + 1) + 2P}{S} \right\rfloor + 1

    Args:
      size: input size W, in pixels.
      kernel_size: kernel size F.
      strides: stride S.
      padding: pixels P added on each side.
      dilation: spacing d of the kernel's taps.
      strict: refuse a geometry whose last pixels would be dropped.

    Returns:
      The output size.

    Raises:
      ValueError: a non-positive argument, a kernel that spans more than the padded
        input, or, when strict, a stride that does not divide.

    Example:
      >>> output_size(227, kernel_size=11, strides=4)
      55
    """
    for name, value, minimum in (
        ("size", size, 1),
        ("kernel_size", kernel_size, 1),
        ("strides", strides, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        integer(name, value, minimum)
    span, padded = extent(kernel_size, dilation), size + 2 * padding
    spare = padded - span
    if spare < 0:
        raise ValueError(
            f"a kernel of {kernel_size} at dilation {dilation} spans {span} pixels, "
            f"more than the {padded} of the padded input: use padding of at least {-(-(span - size) // 2)}, "
            f"or a size of at least {span - 2 * padding}"
        )
    if strict and spare % strides:
        lower = size - spare % strides
        fits = [str(fit) for fit in (lower, lower + strides) if fit >= 1]
        raise ValueError(
            f"size {size} with kernel {kernel_size}, stride {strides}, padding {padding} gives "
            f"{spare / strides + 1:g} outputs, not an integer: the nearest sizes that fit are {' and '.join(fits)}"
        )
    return spare // strides + 1


def receptive_field(layers: Iterable[int | Sequence[int]]) -> int:
    r"""Pixels on a side that one output of a stack of layers sees.

    .. math:: 1 + \sum_l (F_l - 1)\, d_l \prod_{i<l} S_i

    Args:
      layers: from the image on, for each layer its kernel size F, or (F, stride S), or
        (F, stride S, dilation d).

    Returns:
      The receptive field, in pixels.

    Raises:
      ValueError: an entry that is no such triple of positive integers.

    Example:
      >>> receptive_field([3] * 5), receptive_field([(7, 2), (3, 2)])
      (11, 11)

    Reference: Araujo, Norris & Sim, 2019, doi:10.23915/distill.00021.
    """
    field = jump = 1
    for layer in layers:
        entries = tuple(layer) if isinstance(layer, Sequence) else (layer,)
        if not 1 <= len(entries) <= 3:
            raise ValueError(f"layer {layer!r}: expected kernel_size, (kernel_size, strides) or those and a dilation")
        kernel_size, strides, dilation = per_axis(
            entries + (1,) * (3 - len(entries)), 3, "layer (kernel_size, strides, dilation)"
        )
        field += (kernel_size - 1) * dilation * jump
        jump *= strides
    return field


def parameter_count(layer: nn.Module, input_shape: Sequence[int]) -> int:
    """Learned numbers of a layer or model, from shapes alone: nothing is allocated.

    Args:
      layer: any `flax.linen.Module` that takes one array.
      input_shape: of one input, without a batch axis.

    Returns:
      The number of parameters.

    Raises:
      ValueError: an input that the layer cannot take.

    Example:
      >>> parameter_count(nn.Dense(10_000, use_bias=False), (1000 * 1000,))
      10000000000
    """
    x = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    variables = jax.eval_shape(layer.init, jax.eval_shape(lambda: jax.random.key(0)), x)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables.get("params", {})))


def round_channels(width: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to a width, but never under nine tenths of it.

    How the MobileNet and EfficientNet families scale their widths.

    Example:
      >>> round_channels(32 * 0.75), round_channels(16 * 0.35)
      (24, 8)
    """
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


def check_floats(name: str, array: Any) -> None:
    """Refuse bytes, integers and booleans, whose sums and products would wrap around or be cut.

    Raises:
      ValueError: a type other than floats.

    Example:
      >>> check_floats("images", jnp.zeros(2, jnp.uint8))
      Traceback (most recent call last):
      ValueError: images of type uint8: expected floats; divide bytes by 255
    """
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        raise ValueError(f"{name} of type {array.dtype}: expected floats; divide bytes by 255")

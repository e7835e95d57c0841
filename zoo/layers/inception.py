"""Inception modules: kernels of several sizes side by side, their outputs joined along the channels.

A module is data: a tuple of branches, each a tuple of steps. The three forms below, and the
modules of the later networks, differ in nothing else.

References: Szegedy et al., 2014, arXiv:1409.4842; Szegedy et al., 2015, arXiv:1512.00567.
"""

import string
from typing import Any, ClassVar, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.arithmetic import Padding, Sizes
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import avg_pool, max_pool


class Step(NamedTuple):
    """One convolution of a branch, with its normalization and activation; fields as in `Conv`."""

    features: int
    kernel_size: Sizes = 1
    strides: Sizes = 1
    padding: Padding = "SAME"


class Pool(NamedTuple):
    """One pooling of a branch; an average counts the padding or not."""

    kind: Literal["max", "avg"] = "max"
    window: int = 3
    strides: int = 1
    padding: Padding = "SAME"
    count_include_pad: bool = True


class Fork(NamedTuple):
    """The end of a branch that parts in several, whose outputs are joined along the channels."""

    steps: tuple[Step, ...]


Branch = tuple[Step | Pool | Fork, ...]


class BranchModule(nn.Module):
    """The steps of one branch; its convolutions are named `conv1`, `conv2`, …, in a fork `conv2a`, `conv2b`, …

    Attributes:
      steps: what it does; none: the input passes unchanged.
      act: the activation after every convolution.
      norm: the normalization.
      dtype: type of the computation.
    """

    steps: Branch
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H', W', C')."""
        index = 0
        for step in self.steps:
            if isinstance(step, Pool):
                settings = step.window, step.strides, step.padding
                if step.kind not in ("max", "avg"):
                    raise ValueError(f"Pool(kind={step.kind!r}) is unknown: give 'max' or 'avg'")
                if step.kind == "max":
                    x = max_pool(x, *settings)
                else:
                    x = avg_pool(x, *settings, count_include_pad=step.count_include_pad)
                continue
            index += 1
            if isinstance(step, Fork):
                parts = (
                    self._conv(part, f"conv{index}{letter}")(x, train)
                    for letter, part in zip(string.ascii_lowercase, step.steps, strict=False)
                )
                x = jnp.concatenate(list(parts), axis=-1)
            else:
                x = self._conv(step, f"conv{index}")(x, train)
        return x

    def _conv(self, step: Step, name: str) -> ConvNorm:
        return ConvNorm(*step, act=self.act, norm=self.norm, dtype=self.dtype, name=name)


class _Parallel(nn.Module, kw_only=True):
    """Several branches side by side on the same input, named `branch1`, `branch2`, …

    Attributes:
      act: the activation after every convolution.
      norm: the normalization.
      dtype: type of the computation.
    """

    branches: ClassVar[Any]

    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H', W', the branches' channels together)."""
        outputs = [
            BranchModule(steps, self.act, self.norm, self.dtype, name=f"branch{number}")(x, train)
            for number, steps in enumerate(self.branches, start=1)
        ]
        if len({output.shape[:-1] for output in outputs}) != 1:
            shapes = ", ".join(str(output.shape) for output in outputs)
            raise ValueError(
                f"the outputs of the branches have shapes {shapes or 'of nothing'}: expected one branch or more, "
                "of equal sizes; give them the same strides and padding"
            )
        return jnp.concatenate(outputs, axis=-1)


class Branches(_Parallel):
    """Any module of this kind, from its branches.

    Attributes:
      branches: what each branch does, step by step.
      act, norm, dtype: those of every convolution.

    Example:
      >>> layer = Branches(((Step(8),), (Step(4), Step(8, 3)), (Pool("max"),)))
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 8, 8, 32)
    """

    branches: tuple[Branch, ...]  # type: ignore[misc]


class NaiveInception(_Parallel):
    """1×1, 3×3 and 5×5 convolutions and 3×3 max pooling of the input itself.

    The pooling keeps all channels, so every module has more than the one before; and the 5×5
    convolution alone, from C to C/4 channels, costs 6.25 · C² weights.

    Attributes:
      one, three, five: features of the 1×1, 3×3 and 5×5 convolutions.
      act, norm, dtype: those of every convolution.

    Example:
      >>> layer = NaiveInception(16, 16, 16)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 64)))[0].shape
      (1, 8, 8, 112)
    """

    one: int
    three: int
    five: int

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The steps of each branch."""
        return (Step(self.one),), (Step(self.three, 3),), (Step(self.five, 5),), (Pool("max"),)


class Inception(_Parallel):
    """`NaiveInception` with 1×1 convolutions that make the channels few before the large kernels.

    With all widths C/4 the output has as many channels as the input, and the 5×5 branch costs
    C²/4 + 25 C²/16 = 1.81 · C² weights, 3.45 times fewer.

    Attributes:
      one: features of the 1×1 branch.
      three: (reduced, features) of the 3×3 branch.
      five: (reduced, features) of the 5×5 branch.
      pool: features of the 1×1 convolution after the pooling.
      kernel_size: of the third branch; torchvision's GoogLeNet has 3 there.
      act, norm, dtype: those of every convolution.

    Example:
      >>> layer = Inception(16, (16, 16), (16, 16), 16)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 64)))[0].shape
      (1, 8, 8, 64)

    Reference: Szegedy et al., 2014, arXiv:1409.4842.
    """

    one: int
    three: tuple[int, int]
    five: tuple[int, int]
    pool: int
    kernel_size: int = 5

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The steps of each branch."""
        return (
            (Step(self.one),),
            (Step(self.three[0]), Step(self.three[1], 3)),
            (Step(self.five[0]), Step(self.five[1], self.kernel_size)),
            (Pool("max"), Step(self.pool)),
        )


class FactorisedInception(_Parallel):
    """`Inception` with its large kernels factored into small or flat ones.

    Three forms: `"stacked"` has two 3×3 kernels for a 5×5; `"asymmetric"` has 1×n and n×1 kernels
    for each n×n; `"expanded"` ends in a fork of 1×3 and 3×1 kernels, which doubles their channels.

    Attributes:
      one: features of the 1×1 branch.
      three: (reduced, features) of the branch with one large kernel.
      five: (reduced, features) of the branch with two.
      pool: features of the 1×1 convolution after the average pooling.
      form: which of the three.
      kernel_size: n of the asymmetric form.
      act, norm, dtype: those of every convolution.

    Example:
      >>> layer = FactorisedInception(16, (16, 16), (16, 16), 16, form="asymmetric")
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 64)))[0].shape
      (1, 8, 8, 64)

    Reference: Szegedy et al., 2015, arXiv:1512.00567, figures 5, 6 and 7.
    """

    one: int
    three: tuple[int, int]
    five: tuple[int, int]
    pool: int
    form: Literal["stacked", "asymmetric", "expanded"] = "stacked"
    kernel_size: int = 7

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The steps of each branch."""
        (thin3, wide3), (thin5, wide5), n = self.three, self.five, self.kernel_size
        single: tuple[Step | Fork, ...]
        double: tuple[Step | Fork, ...]
        if self.form == "stacked":
            single, double = (Step(wide3, 3),), (Step(wide5, 3), Step(wide5, 3))
        elif self.form == "asymmetric":
            single = Step(thin3, (1, n)), Step(wide3, (n, 1))
            double = Step(thin5, (n, 1)), Step(thin5, (1, n)), Step(thin5, (n, 1)), Step(wide5, (1, n))
        elif self.form == "expanded":
            single = (Fork((Step(wide3, (1, 3)), Step(wide3, (3, 1)))),)
            double = Step(wide5, 3), Fork((Step(wide5, (1, 3)), Step(wide5, (3, 1))))
        else:
            raise ValueError(f"form={self.form!r} is unknown: give 'stacked', 'asymmetric' or 'expanded'")
        return (
            (Step(self.one),),
            (Step(thin3), *single),
            (Step(thin5), *double),
            (Pool("avg"), Step(self.pool)),
        )

"""Model cards: parameters, MACs, memory and receptive field, computed from a trace without allocating or compiling."""

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from convzoo.jaxprs import interpret, module_path
from zoo import catalog, stored_cards
from zoo.imagenet import CLASSES, synonyms
from zoo.receptive_field import Reach, gated, propagate
from zoo.variables import image_shape, variable_structs
from zoo.variant import Paper
from zoo.weights.official import official
from zoo.weights.packages import EXTRA, is_package

LARGEST_SIZE = 2**15
"""Pixels; of larger images even the sizes of windows at the borders would fill the memory."""
WEIGHTED = ("conv_general_dilated", "dot_general")
POOLS = ("reduce_window_max", "reduce_window_min", "reduce_window_sum", "reduce_window")


@dataclasses.dataclass(frozen=True)
class Stage:
    """One direct child of a model, or one of its layers.

    Attributes:
      name: of the child; the path of the layer, or of the module that pools.
      output_shape: for one image, without the batch axis.
      parameters: learned numbers in it.
      macs: multiply-accumulates for one image.
      activation_bytes: outputs of its convolutions, dense layers and pools for one image.
      receptive_field: pixels on a side that one output depends on; None: the whole image.
    """

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    activation_bytes: int
    receptive_field: int | None


@dataclasses.dataclass(frozen=True)
class Card:
    """Costs and receptive field of a model.

    Attributes:
      name: in the catalogue, or the class's.
      family: the module class.
      paper, year: where it was described; None for a model that is not in the catalogue.
      parameters: learned numbers.
      macs: multiply-accumulates of convolutions and dense layers, for one image.
      activation_bytes: outputs of all convolutions, dense layers and pools for one image, which is
        to first order what a training step keeps.
      input_shape: (H, W, C) these figures hold for.
      receptive_field: pixels on a side that one element of the last spatial stage depends on, along the
        convolutional path: gates that depend on the whole image are not counted; None: the whole image.
      depth: convolutions and dense layers with weights, one after another, on the longest path; gates aside.
      top1: published accuracy in percent, or None.
      note: which of several published forms this is.
      stages: the direct children, in the order of their calls.
      layers: every convolution, dense layer and pooling, in the order of the computation.
    """

    name: str
    family: str
    paper: Paper | None
    year: int | None
    parameters: int
    macs: int
    activation_bytes: int
    input_shape: tuple[int, int, int]
    receptive_field: int | None
    depth: int
    top1: float | None
    note: str
    stages: tuple[Stage, ...]
    layers: tuple[Stage, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.name} ({self.family})" + (f": {self.note}" if self.note else ""),
            f"paper            {self.paper or '–'}",
            f"input            {'×'.join(map(str, self.input_shape))}",
            f"parameters       {self.parameters:,}",
            f"MACs             {self.macs:,}",
            f"activations      {self.activation_bytes / 2**20:.2f} MiB an image",
            f"receptive field  {_pixels(self.receptive_field)}",
            f"depth            {self.depth} weighted layers",
            f"published top-1  {'–' if self.top1 is None else f'{self.top1:g} %'}",
        ]
        if self.stages[-1].output_shape[-1:] == (CLASSES,):
            names = [first for first, *_ in synonyms()]
            lines.append(f"classes          {CLASSES:,} of ImageNet: {names[0]}, {names[1]}, … {names[-1]}")
        if published := official(self.name):
            source = f"installed by {EXTRA}" if is_package(published.url) else "downloaded when asked for"
            lines.append(f"weights          {published.file}, {source}")
        return "\n".join([*lines, "", *rows(self.stages)])


def rows(stages: Sequence[Stage]) -> list[str]:
    """Format stages or layers as a table: a header, then one line for each."""
    width = max(12, *(len(stage.name) for stage in stages))
    lines = [f"{'name':<{width}} {'output':>12} {'parameters':>11} {'MACs':>14} {'activations':>12} {'field':>7}"]
    for stage in stages:
        shape = "×".join(map(str, stage.output_shape))
        lines.append(
            f"{stage.name:<{width}} {shape:>12} {stage.parameters:>11,} {stage.macs:>14,} "
            f"{stage.activation_bytes / 2**10:>8.1f} KiB {_pixels(stage.receptive_field):>7}"
        )
    return lines


def _pixels(field: int | None) -> str:
    return "image" if field is None else f"{field} px"


def card(model: str | nn.Module, input_shape: tuple[int, int, int] | None = None) -> Card:
    """Compute the card of a model from shapes alone.

    Args:
      model: a catalogued name, or any `flax.linen.Module` with the signature of this zoo.
      input_shape: (H, W, C) of an image; by default the catalogue's for the name or class,
        and 224×224×3 for a module that is not in the catalogue.

    Returns:
      A `Card`; printed, it is a table.

    Raises:
      ValueError: an unknown name, or an input that the model cannot take or that is larger than `LARGEST_SIZE`.

    Example:
      >>> card("resnet50").receptive_field
      427
    """
    if isinstance(model, str):
        name, entry, model = model, catalog.variant(model), catalog.create(model)
    else:
        name, entry = catalog.find(model)  # type: ignore[assignment]
    shape = image_shape(input_shape or (entry.input_shape if entry else (224, 224, 3)))
    for side, pixels in zip(("height", "width"), shape, strict=False):
        integer(side, pixels, 1, LARGEST_SIZE)
    stored = name in catalog.CATALOG and entry and shape == entry.input_shape
    return dataclasses.replace(
        (stored and _stored(name, model)) or measure(model, shape),
        name=name,
        paper=entry and entry.paper,
        year=entry and entry.paper.year,
        top1=entry and entry.top1,
        note=entry.note if entry else "",
    )


def _stored(name: str, model: nn.Module) -> Card | None:
    """The card of a catalogued model from the file; None where that lacks it."""
    figures = stored_cards.read().get(name)
    if figures is None:
        return None
    stages, layers = (
        tuple(Stage(label, tuple(shape), *costs) for label, shape, *costs in figures[part])
        for part in ("stages", "layers")
    )
    figures = {**figures, "stages": stages, "layers": layers, "input_shape": catalog.variant(name).input_shape}
    del figures["model"]
    kind = type(model).__name__
    return Card(name=kind, family=kind, paper=None, year=None, top1=None, note="", **figures)


def store() -> Path:
    """Measure all models of the catalogue anew, and write their cards to the file of the package.

    Returns:
      The path.

    Raises:
      OSError: the disk refuses.
    """
    fields = ("parameters", "macs", "activation_bytes", "receptive_field", "depth", "stages", "layers")

    def figures(card: Card) -> dict[str, Any]:
        return {
            name: [dataclasses.astuple(row) for row in value] if isinstance(value, tuple) else value
            for name, value in ((name, getattr(card, name)) for name in fields)
        }

    def line(name: str) -> tuple[str, dict[str, Any]]:
        model = catalog.create(name)
        return name, {"model": stored_cards.digest(model)} | figures(measure(model, catalog.variant(name).input_shape))

    return stored_cards.write(map(line, catalog.CATALOG))


@functools.lru_cache(maxsize=512)
def measure(model: nn.Module, input_shape: tuple[int, int, int]) -> Card:
    """Trace a model for the figures of its card, whatever the file says; without paper, year, accuracy and note.

    Args, Raises: as in `card`.
    """
    image = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    variables = variable_structs(model, input_shape)
    params = variables.get("params", {})

    def run(variables, image):
        child = lambda module, method: method == "__call__" and len(module.path) == 1  # noqa: E731
        logits, captured = model.apply(variables, image, capture_intermediates=child, mutable=["intermediates"])
        return logits, captured.get("intermediates", {})

    program, (_, outputs) = jax.make_jaxpr(run, return_shape=True)(variables, image)
    costs = _Costs(params, outputs)
    inputs = [Trail(None, 0)] * len(jax.tree.leaves(variables)) + [Trail(Reach((1, 2), (1, 1), (1, 1)), 0)]
    logits, *answers = interpret(program, inputs, costs.add)
    stages = costs.stages(jax.tree.unflatten(jax.tree.structure(outputs), answers))
    maps = [stage for stage in stages if len(stage.output_shape) == 3 and max(stage.output_shape[:2]) > 1]
    return Card(
        name=type(model).__name__,
        family=type(model).__name__,
        paper=None,
        year=None,
        parameters=_count(params),
        macs=sum(costs.macs.values()),
        activation_bytes=sum(costs.memory.values()),
        input_shape=input_shape,
        receptive_field=maps[-1].receptive_field if maps else None,
        depth=logits.depth,
        top1=None,
        note="",
        stages=stages,
        layers=tuple(costs.layers),
    )


class Trail(NamedTuple):
    """The state of a value in the interpretation.

    Attributes:
      reach: in the image; None for what depends on weights alone.
      depth: weighted layers on the longest path from the image to the value.
    """

    reach: Reach | None
    depth: int


class _Costs:
    """Costs of each child of a model and of each layer, added up equation by equation."""

    def __init__(self, params: Mapping[str, Any], outputs: Mapping[str, Any]):
        self.params, self.outputs = params, outputs
        self.macs: Counter[str] = Counter()
        self.memory: Counter[str] = Counter()
        self.layers: list[Stage] = []
        self.order: dict[str, None] = {}
        """Children, in the order of their first equations."""

    def add(self, equation: Any, values: Sequence[Trail | None], path: str) -> list[Trail | None]:
        """A rule for `convzoo.jaxprs.interpret`."""
        child = next((part for part in path.split("/") if part in self.outputs), "")
        self.order.setdefault(child)
        work = multiply_accumulates(equation)
        self.macs[child] += work
        reaches = propagate(equation, [value and value.reach for value in values])
        if equation.primitive.name in (*WEIGHTED, *POOLS):
            stored = sum(atom.aval.size * atom.aval.dtype.itemsize for atom in equation.outvars)
            self.memory[child] += stored
            layer = module_path(path)
            params = functools.reduce(lambda node, part: node.get(part, {}), layer, self.params)
            learned = sum(leaf.size for leaf in params.values() if not isinstance(leaf, dict))
            shape = tuple(equation.outvars[0].aval.shape)
            name = "/".join(layer) or "(pooling)"
            self.layers.append(Stage(name, shape[1:], learned, work, stored, _field(reaches[0])))
        depth = _depth(equation, values)
        return [None if all(value is None for value in values) else Trail(reach, depth) for reach in reaches]

    def stages(self, trails: Mapping[str, Any]) -> tuple[Stage, ...]:
        """The children in order, each with its costs and the receptive field of its last output."""
        stages = []
        for name in self.order:
            if name not in self.outputs:
                continue
            # A child with several outputs, as of several resolutions, is shown by its first.
            output = jax.tree.leaves(self.outputs[name]["__call__"][-1])[0]
            trail = jax.tree.leaves(trails[name]["__call__"][-1], is_leaf=_is_trail)[0]
            parameters = _count(self.params.get(name, {}))
            shape, field = tuple(output.shape[1:]), _field(trail and trail.reach)
            stages.append(Stage(name, shape, parameters, self.macs[name], self.memory[name], field))
        return tuple(stages)


def _is_trail(node: Any) -> bool:
    return node is None or isinstance(node, Trail)


def _depth(equation: Any, values: Sequence[Trail | None]) -> int:
    """Weighted layers on the longest path to an equation's output."""
    live = values
    if equation.primitive.name == "mul" and all(values):
        factors = gated([value.reach for value in values if value])
        live = [value for value, factor in zip(values, factors, strict=True) if factor is not None] or values
    weighted = equation.primitive.name in WEIGHTED and any(
        value is not None and value.reach is None for value in values
    )
    return max((value.depth for value in live if value is not None), default=0) + weighted


def multiply_accumulates(equation: Any) -> int:
    """Count the multiply-accumulates of one equation of a traced program: a convolution or a matrix product."""
    if equation.primitive.name == "conv_general_dilated":
        kernel, numbers = equation.invars[1].aval, equation.params["dimension_numbers"]
        each = kernel.size // kernel.shape[numbers.rhs_spec[0]]
        return equation.outvars[0].aval.size * each // math.prod(equation.params["lhs_dilation"])
    if equation.primitive.name == "dot_general":
        (contracting, _), _ = equation.params["dimension_numbers"]
        return equation.outvars[0].aval.size * math.prod(equation.invars[0].aval.shape[axis] for axis in contracting)
    return 0


def _count(params: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _field(reach: Reach | None) -> int | None:
    if reach is None or math.inf in reach.size:
        return None
    return math.ceil(max(reach.size))

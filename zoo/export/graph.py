"""An ONNX graph under construction: nodes and constants by name."""

from typing import Any, NamedTuple

import numpy as np


class Tensor(NamedTuple):
    """A value that depends on the images.

    Attributes:
      name: in the graph.
      shape, dtype: of it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype


Value = Tensor | np.ndarray


class Graph:
    """Nodes in the order of the computation, and the constants that they read; equal constants are stored once."""

    def __init__(self, helper: Any, numpy_helper: Any):
        self.nodes: list[Any] = []
        self.constants: dict[tuple, Any] = {}
        self._helper, self._numpy_helper = helper, numpy_helper

    def name(self, value: Value) -> str:
        """The name of a value; a constant is added to the graph."""
        if isinstance(value, Tensor):
            return value.name
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = self._numpy_helper.from_array(array, f"c{len(self.constants)}")
        return self.constants[key].name

    def add(self, kind: str, *inputs: Value, **attributes: Any) -> Tensor:
        """Add a node of one output, whose shape is that of its first input that is no constant."""
        like = next(value for value in inputs if isinstance(value, Tensor))
        output = like._replace(name=f"v{len(self.nodes)}")
        names = [self.name(value) for value in inputs]
        self.nodes.append(self._helper.make_node(kind, names, [output.name], **attributes))
        return output

    def reshape(self, value: Value, shape: tuple[int, ...]) -> Any:
        """The value in another shape."""
        if not isinstance(value, Tensor):
            return value.reshape(shape)
        if value.shape == tuple(shape):
            return value
        return self.add("Reshape", value, np.array(shape, np.int64))._replace(shape=tuple(shape))

    def transpose(self, value: Value, axes: tuple[int, ...]) -> Any:
        """The value with its axes in another order."""
        if not isinstance(value, Tensor):
            return value.transpose(axes)
        if [*axes] == [*range(len(axes))]:
            return value
        shape = tuple(value.shape[axis] for axis in axes)
        return self.add("Transpose", value, perm=[*axes])._replace(shape=shape)

    def pad(self, value: Tensor, pairs: list[tuple[int, int]], number: Any = 0.0) -> Tensor:
        """Pad, or crop where a number of pixels is negative."""
        if any(low < 0 or high < 0 for low, high in pairs):
            starts = [max(0, -low) for low, _ in pairs]
            ends = [size - max(0, -high) for size, (_, high) in zip(value.shape, pairs, strict=True)]
            value = self.slice(value, starts, ends, [1] * len(pairs))
        positive = [(max(0, low), max(0, high)) for low, high in pairs]
        if not any(map(any, positive)):
            return value
        amounts = np.array([low for low, _ in positive] + [high for _, high in positive], np.int64)
        shape = tuple(size + low + high for size, (low, high) in zip(value.shape, positive, strict=True))
        return self.add("Pad", value, amounts, np.asarray(number, value.dtype))._replace(shape=shape)

    def slice(self, value: Tensor, starts: list[int], ends: list[int], steps: list[int]) -> Tensor:
        """Every step-th entry of each axis from a start to before an end; backwards for a negative step."""
        triples = zip(starts, ends, steps, strict=True)
        shape = tuple(len(range(start, end, step)) for start, end, step in triples)
        limits = [end if end >= 0 else np.iinfo(np.int64).min for end in ends]
        parts = (np.array(part, np.int64) for part in (starts, limits, [*range(len(starts))], steps))
        return self.add("Slice", value, *parts)._replace(shape=shape)

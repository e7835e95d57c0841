"""Who is timed: our layers, `flax.linen`, and PyTorch in a process of its own."""

import json
import os
import pathlib
import subprocess
from typing import Any

import flax.linen as nn
import jax

from tests.benchmarks.cases import Case
from tests.benchmarks.timing import Run, timed
from zoo.layers import Conv, TransposedConv


def ours(case: Case) -> nn.Module:
    """Our layer for a case, without bias."""
    if case.transposed:
        return TransposedConv(case.outputs, case.kernel_size, case.strides, case.padding, use_bias=False)
    return Conv(case.outputs, case.kernel_size, case.strides, case.padding, case.dilation, case.groups, use_bias=False)


def flax(case: Case) -> nn.Module:
    """Flax's layer for a case, without bias."""
    size, strides = (case.kernel_size,) * 2, (case.strides,) * 2
    if case.transposed:
        # Flax pads the stretched image, we cut the painted one.
        edge = case.kernel_size - 1 - case.padding
        return nn.ConvTranspose(case.outputs, size, strides, ((edge, edge),) * 2, transpose_kernel=True, use_bias=False)
    return nn.Conv(
        case.outputs,
        size,
        strides,
        case.padding,
        kernel_dilation=case.dilation,
        feature_group_count=case.groups,
        use_bias=False,
    )


DIRECTIONS = ("forward", "image gradient", "kernel gradient")


def prepare(layer: nn.Module, case: Case, direction: str) -> tuple[Run, float]:
    """One timed run of a layer in one direction, and the seconds that its compilation took.

    Args:
      layer: the layer.
      case: what it is applied to.
      direction: of `DIRECTIONS`; a gradient is that alone, of an output gradient.
    """
    x = jax.random.normal(jax.random.key(0), (case.batch, case.size, case.size, case.inputs))
    shape = jax.eval_shape(layer.init, jax.random.key(1), x)["params"]["kernel"].shape
    kernel = jax.random.normal(jax.random.key(1), shape)
    apply = lambda x, kernel: layer.apply({"params": {"kernel": kernel}}, x)  # noqa: E731
    if direction == "forward":
        return timed(apply, x, kernel)
    output = jax.eval_shape(apply, x, kernel)
    cotangent = jax.random.normal(jax.random.key(2), output.shape)
    operand = DIRECTIONS.index(direction) - 1
    # Without the output among the results, XLA leaves the forward pass out.
    return timed(lambda x, kernel, cotangent: jax.vjp(apply, x, kernel)[1](cotangent)[operand], x, kernel, cotangent)


class Torch:
    """PyTorch, if there is a Python that has it: `$TORCH_PYTHON`, or `.venv-torch` beside the sources.

    Args:
      memory: `"kept"`: its process calls `zoo.keep_memory` too; `"free"`: it does not.
    """

    def __init__(self, memory: str = "kept") -> None:
        root = pathlib.Path(__file__).resolve().parents[2]
        python = os.environ.get("TORCH_PYTHON", str(root / ".venv-torch/bin/python"))
        self.version = ""
        self.command = [python, str(pathlib.Path(__file__).with_name("torch_worker.py")), memory]
        if pathlib.Path(python).exists():
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.version = self._answer()

    def _answer(self) -> str:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError("the torch process ended: run its Python on tests/benchmarks/torch_worker.py to see why")
        return line.strip()

    def prepare(self, request: dict[str, Any]) -> Run:
        """One timed run of what `torch_worker` understands: the fields of a case, and `"what"` to run of it."""
        line = json.dumps(request)

        def run() -> float:
            self.process.stdin.write(line + "\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
            return float(self._answer())

        run()
        return run

    def has(self, package: str) -> bool:
        """Whether the Python that has torch has a package too."""
        if not self.version:
            return False
        code = f"import importlib.util; print(importlib.util.find_spec({package!r}) is not None)"
        done = subprocess.run([self.command[0], "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip() == "True"

    def memory(self, request: dict[str, Any]) -> float:
        """The peak in GiB of a process of its own that runs a request once."""
        command = [*self.command, json.dumps(request)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])

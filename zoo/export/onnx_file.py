"""A trained model as an ONNX file, from its traced program."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from convzoo import files
from convzoo.checks import integer
from convzoo.jaxprs import interpret
from zoo import catalog
from zoo.export.graph import Graph, Tensor
from zoo.export.rules import translate
from zoo.variables import image_shape, logits_fn

OPSET, IR_VERSION = 18, 9
"""Of 2022 and 2023, which every runtime of today reads."""


def to_onnx(
    path: str | Path,
    model: nn.Module,
    variables: Any,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    input_shape: tuple[int, int, int] | None = None,
    batch_size: int = 1,
) -> Path:
    """Write a model with its weights as an ONNX file: images (N, H, W, C) in, logits out.

    The graph is the traced program, equation by equation, with all that depends on weights alone computed before.
    It needs the package `onnx`: `pip install 'convzoo[onnx]'`.

    Args:
      path: of the file.
      model: a module of this zoo's signature.
      variables: its variables.
      preprocess: normalization of images in [0, 1], which becomes part of the graph; None: images as they are.
      input_shape: (H, W, C) of the images; by default the catalogue's.
      batch_size: N, which is fixed in the file.

    Returns:
      The path.

    Raises:
      ImportError: `onnx` is not installed.
      ValueError: a model that computes what has no rule, such as deformable convolutions.
      OSError: the disk refuses.

    Example:
      >>> import zoo
      >>> model = zoo.create("lenet5")
      >>> to_onnx("lenet5.onnx", model, {}, batch_size=0)
      Traceback (most recent call last):
      ValueError: batch_size=0: expected a positive integer
    """
    shape = (integer("batch_size", batch_size), *image_shape(input_shape or catalog.input_shape(model)))
    try:
        import onnx
    except ImportError as error:
        raise ImportError("onnx is not installed: pip install 'convzoo[onnx]'") from error
    helper = onnx.helper
    program = jax.make_jaxpr(logits_fn(model, variables, preprocess))(jax.ShapeDtypeStruct(shape, jnp.float32))
    graph, images = Graph(helper, onnx.numpy_helper), Tensor("images", shape, np.dtype(np.float32))
    rule = lambda equation, values, _: translate(graph, equation, values)  # noqa: E731
    (logits,) = interpret(program, [images], rule, constant=np.asarray)
    graph.nodes.append(helper.make_node("Identity", [graph.name(logits)], ["logits"]))
    kind = onnx.TensorProto.FLOAT
    whole = helper.make_graph(
        graph.nodes,
        type(model).__name__,
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, logits.shape)],
        [*graph.constants.values()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    content = helper.make_model(whole, producer_name="convzoo", opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(content)
    return files.write(Path(path), content.SerializeToString())

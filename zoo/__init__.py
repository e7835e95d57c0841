"""Every convolution and every classic CNN as a pure JAX function.

import jax, zoo
model = zoo.create("resnet50", num_classes=10)
variables = zoo.init(model, jax.random.key(0), (224, 224, 3))
logits = model.apply(variables, images)      # (N, H, W, C) floats; train=False by default
print(zoo.card("resnet50"))
"""

import convzoo  # noqa: F401, refuses old versions of Python
from zoo.cards import Card, card
from zoo.catalog import create, list_models
from zoo.export.onnx_file import to_onnx
from zoo.imagenet import class_names
from zoo.memory import keep_memory
from zoo.preprocess import Preprocess
from zoo.variables import init, logits_fn
from zoo.weights.pretrained import Pretrained, load_pretrained
from zoo.weights.saved import load, save
from zoo.weights.torch import load_torch, to_torch

__all__ = [
    "Card",
    "Preprocess",
    "Pretrained",
    "card",
    "class_names",
    "create",
    "init",
    "keep_memory",
    "list_models",
    "load",
    "load_pretrained",
    "load_torch",
    "logits_fn",
    "save",
    "to_onnx",
    "to_torch",
]
__version__ = "0.1.0"

"""Layers to pick up alone: one kind a file."""

from zoo.layers.arithmetic import output_size
from zoo.layers.composite import ConvNorm
from zoo.layers.convolution import Conv, convolution
from zoo.layers.normalization import BatchNorm, GroupNorm, LayerNorm, NoNorm
from zoo.layers.pooling import avg_pool, flatten, global_avg_pool, max_pool
from zoo.layers.residual import BasicBlock, BottleneckBlock, PlainBlock, pad_shortcut

__all__ = [
    "BasicBlock",
    "BatchNorm",
    "BottleneckBlock",
    "Conv",
    "ConvNorm",
    "GroupNorm",
    "LayerNorm",
    "NoNorm",
    "PlainBlock",
    "avg_pool",
    "convolution",
    "flatten",
    "global_avg_pool",
    "max_pool",
    "output_size",
    "pad_shortcut",
]

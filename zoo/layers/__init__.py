"""Layers to pick up alone: one kind a file."""

from zoo.layers.arithmetic import output_size
from zoo.layers.attention import CBAM, SqueezeExcite
from zoo.layers.composite import ConvNorm
from zoo.layers.convolution import Conv, PointwiseConv, channel_shuffle, convolution, dense_kernel_to_conv
from zoo.layers.normalization import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm, NoNorm
from zoo.layers.pooling import (
    adaptive_avg_pool,
    avg_pool,
    blur_pool,
    flatten,
    global_avg_pool,
    global_max_pool,
    max_pool,
    translation_tolerance,
)
from zoo.layers.residual import BasicBlock, BottleneckBlock, PlainBlock, pad_shortcut
from zoo.layers.separable import DepthwiseConv, DepthwiseSeparableConv, SpatiallySeparableConv, separable_factors

__all__ = [
    "CBAM",
    "BasicBlock",
    "BatchNorm",
    "BottleneckBlock",
    "Conv",
    "ConvNorm",
    "DepthwiseConv",
    "DepthwiseSeparableConv",
    "GroupNorm",
    "LayerNorm",
    "LocalResponseNorm",
    "NoNorm",
    "PlainBlock",
    "PointwiseConv",
    "SpatiallySeparableConv",
    "SqueezeExcite",
    "adaptive_avg_pool",
    "avg_pool",
    "blur_pool",
    "channel_shuffle",
    "convolution",
    "dense_kernel_to_conv",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "max_pool",
    "output_size",
    "pad_shortcut",
    "separable_factors",
    "translation_tolerance",
]

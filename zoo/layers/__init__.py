"""Layers to pick up alone: one kind a file."""

from zoo.layers.arithmetic import output_size
from zoo.layers.attention import CBAM, SqueezeExcite
from zoo.layers.composite import ConvNorm, NormConv
from zoo.layers.convolution import Conv, PointwiseConv, channel_shuffle, convolution, dense_kernel_to_conv
from zoo.layers.deformable import DeformableConv, bilinear_sample, deformable_convolution
from zoo.layers.dense import DenseBlock
from zoo.layers.inception import Branches, FactorisedInception, Inception, NaiveInception
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
from zoo.layers.residual import (
    BasicBlock,
    BottleneckBlock,
    HighwayBlock,
    PlainBlock,
    PreActivationBlock,
    PreActivationBottleneckBlock,
    pad_shortcut,
)
from zoo.layers.separable import DepthwiseConv, DepthwiseSeparableConv, SpatiallySeparableConv, separable_factors
from zoo.layers.transposed import ResizeConv, TransposedConv, checkerboard, transposed_convolution

__all__ = [
    "CBAM",
    "BasicBlock",
    "BatchNorm",
    "BottleneckBlock",
    "Branches",
    "Conv",
    "ConvNorm",
    "DeformableConv",
    "DenseBlock",
    "DepthwiseConv",
    "DepthwiseSeparableConv",
    "FactorisedInception",
    "GroupNorm",
    "HighwayBlock",
    "Inception",
    "LayerNorm",
    "LocalResponseNorm",
    "NaiveInception",
    "NoNorm",
    "NormConv",
    "PlainBlock",
    "PointwiseConv",
    "PreActivationBlock",
    "PreActivationBottleneckBlock",
    "ResizeConv",
    "SpatiallySeparableConv",
    "SqueezeExcite",
    "TransposedConv",
    "adaptive_avg_pool",
    "avg_pool",
    "bilinear_sample",
    "blur_pool",
    "channel_shuffle",
    "checkerboard",
    "convolution",
    "deformable_convolution",
    "dense_kernel_to_conv",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "max_pool",
    "output_size",
    "pad_shortcut",
    "separable_factors",
    "translation_tolerance",
    "transposed_convolution",
]

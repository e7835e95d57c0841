"""Layers for use on their own, one kind in each file."""

from zoo.layers.arithmetic import output_size, parameter_count, receptive_field
from zoo.layers.attention import CBAM, SqueezeExcite
from zoo.layers.backprop import conv_gradients
from zoo.layers.composite import ConvNorm, NormConv
from zoo.layers.convolutions import Conv, PointwiseConv, channel_shuffle, convolution, dense_kernel_to_conv
from zoo.layers.coordinate import CoordConv, add_coordinates
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
from zoo.layers.pyramid import depth_to_space, image_pyramid, space_to_depth
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
from zoo.layers.unshared import UnsharedConv, unshared_convolution

__all__ = [
    "CBAM",
    "BasicBlock",
    "BatchNorm",
    "BottleneckBlock",
    "Branches",
    "Conv",
    "ConvNorm",
    "CoordConv",
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
    "UnsharedConv",
    "adaptive_avg_pool",
    "add_coordinates",
    "avg_pool",
    "bilinear_sample",
    "blur_pool",
    "channel_shuffle",
    "checkerboard",
    "conv_gradients",
    "convolution",
    "deformable_convolution",
    "dense_kernel_to_conv",
    "depth_to_space",
    "flatten",
    "global_avg_pool",
    "global_max_pool",
    "image_pyramid",
    "max_pool",
    "output_size",
    "pad_shortcut",
    "parameter_count",
    "receptive_field",
    "separable_factors",
    "space_to_depth",
    "translation_tolerance",
    "transposed_convolution",
    "unshared_convolution",
]

"""torchvision's names of the single tower, and Caffe's of the paper's two towers."""

from zoo.architectures.alexnet import AlexNet
from zoo.weights.torch_names.table import Flattened, Table, Tables

TORCHVISION: Table = {
    "stem/conv": "features.0",
    "stage1/conv": "features.3",
    "stage2/block1/conv": "features.6",
    "stage2/block2/conv": "features.8",
    "stage2/block3/conv": "features.10",
    "dense1": Flattened("classifier.1", 6, 6),
    "dense2": "classifier.4",
    "head": "classifier.6",
}

CAFFE: Table = {
    "stem/conv": "conv1",
    "stage1/conv": "conv2",
    "stage2/block{b}/conv": "conv{b+2}",
    "dense1": Flattened("fc6", 6, 6),
    "dense2": "fc7",
    "head": "fc8",
}

NAMES: Tables = {AlexNet: lambda model: CAFFE if model.response_norm else TORCHVISION}

"""Write the small files of `torch_files/` with PyTorch itself: `python tests/goldens/torch_files.py`.

The environment is that of `make.py`.
"""

from collections import OrderedDict
from pathlib import Path

import torch

HERE = Path(__file__).parent / "torch_files"
base = torch.arange(24, dtype=torch.float32)
TENSORS = OrderedDict(
    whole=base.reshape(2, 3, 4),
    transposed=base.reshape(4, 6).T,
    part=base[5:11:2],
    scalar=torch.tensor(7),
    empty=torch.zeros(0, 3),
    half=torch.tensor([0.5, -2.0], dtype=torch.float16),
    brain=torch.tensor([1.5, -3.0], dtype=torch.bfloat16),
    flags=torch.tensor([True, False]),
    bytes=torch.tensor([1, 255], dtype=torch.uint8),
    parameter=torch.nn.Parameter(torch.tensor([[1.0, 2.0]])),
)


def resnet20() -> OrderedDict:
    """A state dictionary of the CIFAR network; all its tensors look into two small storages: a small file."""
    numbers, ones = 0.1 * torch.randn(4096), torch.ones(1)
    state: OrderedDict[str, torch.Tensor] = OrderedDict()

    def look(key: str, *shape: int) -> None:
        strides = (37, 11, 3, 1)[: len(shape)]
        reach = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
        state[key] = numbers.as_strided(shape, strides, (101 * len(state)) % (4096 - reach))

    def unit(conv: str, norm: str, inputs: int, outputs: int) -> None:
        look(f"{conv}.weight", outputs, inputs, 3, 3)
        for name in ("weight", "running_var"):
            state[f"{norm}.{name}"] = ones.expand(outputs)
        for name in ("bias", "running_mean"):
            look(f"{norm}.{name}", outputs)

    unit("conv1", "bn1", 3, 16)
    width = 16
    for stage in (1, 2, 3):
        for block in range(3):
            for conv in (1, 2):
                unit(f"layer{stage}.{block}.conv{conv}", f"layer{stage}.{block}.bn{conv}", width, 8 * 2**stage)
                width = 8 * 2**stage
    look("fc.weight", 10, 64)
    look("fc.bias", 10)
    return state


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    torch.manual_seed(0)
    torch.save(TENSORS, HERE / "tensors.pth")
    torch.save(TENSORS, HERE / "tensors_legacy.pth", _use_new_zipfile_serialization=False)
    layer = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    state = OrderedDict((f"module.{key}", value) for key, value in layer.state_dict().items())
    torch.save({"state_dict": state, "epoch": 3}, HERE / "checkpoint.pth")
    torch.save({"model": layer.state_dict()}, HERE / "model.pt")
    torch.save(layer, HERE / "whole_module.pth")
    torch.save(resnet20(), HERE / "resnet20.pth")

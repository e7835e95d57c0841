"""Make the golden files from PyTorch's implementations: `python tests/goldens/make.py [NAME ...]`.

Needs an environment of its own, which the project itself does not:

    python3.11 -m venv .venv-torch
    .venv-torch/bin/pip install torch==2.13.0 numpy pillow safetensors huggingface_hub pyyaml
    .venv-torch/bin/pip install --no-deps torchvision==0.28.0 timm==1.0.31
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import recipe
from sources import SOURCES, Source


def run(model: torch.nn.Module, images: np.ndarray, stages: dict[str, str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Logits in NHWC order, and each named stage's output."""
    taps: dict[str, np.ndarray] = {}
    modules = dict(model.named_modules())
    hooks = [
        modules[theirs].register_forward_hook(
            lambda _module, _inputs, output, ours=ours: taps.__setitem__(
                ours, output.detach().clone().movedim(1, -1).numpy()
            )
        )
        for ours, theirs in stages.items()
    ]
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        logits = model(torch.from_numpy(images).movedim(-1, 1).contiguous().to(dtype))
    for hook in hooks:
        hook.remove()
    logits = logits["out"] if isinstance(logits, dict) else logits
    return logits.movedim(1, -1).numpy(), taps


def make(name: str, source: Source) -> None:
    """Write `NAME.npz`: keys and shapes, and for each size the logits and samples of the stages."""
    torch.manual_seed(0)
    model = source.build().eval()
    state = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    for key, value in state.items():
        value.copy_(torch.from_numpy(recipe.tensor(key, shapes[key], source.gain)))
    arrays = {"keys": np.frombuffer(json.dumps({"gain": source.gain, "shapes": shapes}).encode(), np.uint8)}
    for height, width in source.sizes:
        images = recipe.images((2, height, width, source.channels))
        logits, taps = run(model, images, source.stages)
        exact, _ = run(model.double(), images.astype(np.float64), {})
        model.float()
        scale = np.abs(exact).max()
        spread, rounding = np.abs(logits[0] - logits[1]).max() / scale, np.abs(logits - exact).max() / scale
        print(f"{name:28} {height}×{width} logits {scale:9.3g} two images differ {spread:.1e} float32 {rounding:.1e}")
        if spread < 5e-3 or rounding > 2e-5:
            print(f"  {name}: this golden is weak or chaotic; change the gain")
        flat = exact.reshape(2, -1)
        step = max(1, flat.shape[1] // 2000)
        arrays[f"{height}x{width}/logits"] = flat[:, ::step].astype(np.float32)
        arrays |= {f"{height}x{width}/{ours}": recipe.sample(value) for ours, value in taps.items()}
    np.savez_compressed(HERE / f"{name}.npz", **arrays)


if __name__ == "__main__":
    for name in sys.argv[1:] or SOURCES:
        make(name, SOURCES[name])

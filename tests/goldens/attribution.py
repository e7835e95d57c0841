"""Make the golden maps from captum and pytorch-grad-cam: `python tests/goldens/attribution.py`.

Needs the environment of `make.py`, and `pip install --no-deps captum==0.9.0 grad-cam==1.5.7` with what these
import: `matplotlib opencv-python-headless scikit-learn scipy tqdm ttach`.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import recipe
from captum import attr
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from twins import CifarResNet

FIELDS = {"blocks": (1, 1), "width": 8, "num_classes": 5}
SHAPE, LABELS = (2, 16, 20, 3), (3, 1)
GAIN = 2.0
COPIES, SIGMA = 4, 0.15


def nhwc(tensor: torch.Tensor) -> np.ndarray:
    """A PyTorch array in our order and precision."""
    return tensor.detach().movedim(1, -1).numpy().astype(np.float32)


def main() -> None:
    """Write `attribution/resnet.npz`."""
    warnings.simplefilter("ignore")
    model = CifarResNet(**FIELDS).eval()
    state = {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    for key, value in state.items():
        value.copy_(torch.from_numpy(recipe.tensor(key, tuple(value.shape), GAIN)))
    images = torch.from_numpy(recipe.unit_images(SHAPE)).movedim(-1, 1).contiguous()
    labels = torch.tensor(LABELS)
    stages = {"stage1": model.layer1, "stage2": model.layer2}

    maps = {
        "saliency": attr.Saliency(model).attribute(images, labels, abs=False),
        "input_times_gradient": attr.InputXGradient(model).attribute(images, labels),
        "guided_backprop": attr.GuidedBackprop(model).attribute(images, labels),
        "deconvnet": attr.Deconvolution(model).attribute(images, labels),
        "occlusion": attr.Occlusion(model).attribute(images, (3, 5, 6), (3, 3, 4), 0.25, labels)[:, :1],
        "guided_grad_cam": attr.GuidedGradCam(model, model.layer2).attribute(images, labels),
    }
    maps |= {
        f"grad_cam/{name}": attr.LayerGradCam(model, layer).attribute(images, labels) for name, layer in stages.items()
    }

    seen: list[torch.Tensor] = []
    hook = model.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach().clone()))
    for name, absolute in (("signed", False), ("absolute", True)):
        torch.manual_seed(0)
        tunnel = attr.NoiseTunnel(attr.Saliency(model))
        settings = {"nt_type": "smoothgrad", "nt_samples": COPIES, "stdevs": SIGMA, "target": labels, "abs": absolute}
        maps[f"smoothgrad/{name}"] = tunnel.attribute(images, **settings)
    hook.remove()
    copies = seen[0].reshape(SHAPE[0], COPIES, *images.shape[1:]).transpose(0, 1)

    model.double()
    exact = attr.IntegratedGradients(model)
    maps["integrated_gradients"] = exact.attribute(images.double(), target=labels, n_steps=50)
    maps["integrated_gradients/baseline"] = exact.attribute(images.double(), 0.25, labels, n_steps=7)
    model.float()

    arrays = {name: nhwc(value) for name, value in maps.items()}
    targets = [ClassifierOutputTarget(label) for label in LABELS]
    for name, method in (("grad_cam", GradCAM), ("grad_cam_plus_plus", GradCAMPlusPlus)):
        for stage, layer in stages.items():
            with method(model, [layer]) as made:
                arrays[f"pytorch-grad-cam/{name}/{stage}"] = made(images, targets)
    noise = (copies - images).movedim(2, -1).numpy()
    print(*(f"{name:45} {value.shape} {np.abs(value).max():.3g}" for name, value in arrays.items()), sep="\n")

    about = {
        "fields": FIELDS,
        "shape": SHAPE,
        "labels": LABELS,
        "gain": GAIN,
        "shapes": {key: tuple(value.shape) for key, value in state.items()},
    }
    about_bytes = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez_compressed(HERE / "attribution" / "resnet.npz", about=about_bytes, noise=noise, **arrays)


if __name__ == "__main__":
    main()

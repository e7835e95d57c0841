"""PyTorch's side of the benchmark: reads one request a line, answers with the seconds of one run.

Runs under a Python of its own, so that torch is no dependency of the project.
"""

import functools
import importlib.util
import json
import os
import pathlib
import sys
import time
import warnings
from collections.abc import Callable


def convolution(case: dict) -> Callable[[], None]:
    """One convolution, its images and kernel channels-last: `"forward"`, or `"gradient"` in both."""
    import torch
    from torch.nn import functional

    shape = (case["batch"], case["inputs"], case["size"], case["size"])
    ends = (case["inputs"], case["outputs"] // case["groups"])
    kernel_shape = ends if case["transposed"] else (case["outputs"], case["inputs"] // case["groups"])
    last = torch.channels_last
    x = torch.randn(shape).to(memory_format=last).requires_grad_()
    kernel = torch.randn(*kernel_shape, *(case["kernel_size"],) * 2).to(memory_format=last).requires_grad_()
    settings = {name: case[name] for name in ("padding", "dilation", "groups")} | {"stride": case["strides"]}
    operation = functional.conv_transpose2d if case["transposed"] else functional.conv2d

    def forward():
        with torch.no_grad():
            operation(x, kernel, **settings)

    cotangent = torch.randn_like(operation(x, kernel, **settings))

    def gradient():
        torch.autograd.grad(operation(x, kernel, **settings), (x, kernel), cotangent)

    return {"forward": forward, "gradient": gradient}[case["what"]]


@functools.cache
def torchvision_models() -> tuple:
    """`torchvision.models`, and the declarations that it needs to import without its compiled operators."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    return torchvision.models, library


def network(case: dict) -> Callable[[], None]:
    """One of torchvision's networks, channels-last: `"forward"`, or a `"step"` of gradient descent."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    models, _ = torchvision_models()
    settings = {"init_weights": False} if case["name"] == "googlenet" else {}
    model = models.get_model(case["name"], weights=None, **settings).to(memory_format=torch.channels_last)
    images = torch.randn(case["batch"], 3, case["size"], case["size"]).to(memory_format=torch.channels_last)
    labels = torch.arange(case["batch"])

    def forward():
        with torch.inference_mode():
            model(images)

    def loss(outputs):
        main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
        total = functional.cross_entropy(main, labels)
        return total + case["aux_weight"] * sum(functional.cross_entropy(logits, labels) for logits in auxiliary)

    optimizer = torch.optim.SGD(model.parameters(), case["learning_rate"])

    def step():
        optimizer.zero_grad()
        loss(model(images)).backward()
        optimizer.step()

    model.train(case["what"] == "step")
    return {"forward": forward, "step": step}[case["what"]]


def attribution(case: dict) -> Callable[[], None]:
    """One of captum's methods, in the memory layout whose gradient is faster here."""
    import torch
    from captum import attr

    warnings.simplefilter("ignore")  # captum tells of every hook it sets
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "goldens"))
    import recipe
    from twins import CifarResNet

    networks = {"resnet20": CifarResNet, "resnet50": lambda: torchvision_models()[0].resnet50(weights=None)}
    model = networks[case["network"]]().eval()
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(recipe.tensor(key, tuple(value.shape), 2.0)))
    shape = (case["batch"], case["size"], case["size"], 3)
    images = torch.from_numpy(recipe.unit_images(shape)).movedim(-1, 1)
    labels = torch.arange(case["batch"]) % 10
    side, copies = case["size"] // 4, max(1, case["at_once"] // case["batch"])

    def on(layout: torch.memory_format) -> dict[str, Callable[[], None]]:
        net, x = model.to(memory_format=layout), images.contiguous(memory_format=layout)
        last = {"resnet20": "layer3", "resnet50": "layer4"}[case["network"]]
        tunnel = {"nt_samples": case["samples"], "nt_samples_batch_size": copies, "stdevs": 0.15, "target": labels}
        windows = {"sliding_window_shapes": (3, side, side), "strides": (3, side // 2, side // 2)}
        return {
            "saliency": lambda: attr.Saliency(net).attribute(x, labels),
            "integrated_gradients": lambda: attr.IntegratedGradients(net).attribute(
                x, target=labels, n_steps=case["samples"], internal_batch_size=case["at_once"]
            ),
            "smoothgrad": lambda: attr.NoiseTunnel(attr.Saliency(net)).attribute(x, abs=False, **tunnel),
            "occlusion": lambda: attr.Occlusion(net).attribute(
                x, target=labels, perturbations_per_eval=copies, **windows
            ),
            "grad_cam": lambda: attr.LayerGradCam(net, getattr(net, last)).attribute(x, labels),
        }

    def seconds(layout: torch.memory_format) -> float:
        gradient = on(layout)["saliency"]
        gradient()
        start = time.perf_counter()
        gradient()
        return time.perf_counter() - start

    return on(min((torch.contiguous_format, torch.channels_last), key=seconds))[case["method"]]


def keep_memory() -> None:
    """What our side does too, from the file: this Python does not have the package."""
    file = pathlib.Path(__file__).resolve().parents[2] / "zoo" / "memory.py"
    specification = importlib.util.spec_from_file_location("memory", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.keep_memory()


def main() -> None:
    """Serve requests, the fields of a case with `"what"` to run, until the input ends."""
    if sys.argv[1:] != ["free"]:
        keep_memory()
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))

    @functools.lru_cache(maxsize=2)
    def prepared(request: str) -> Callable[[], None]:
        case = json.loads(request)
        kinds = {"kernel_size": convolution, "method": attribution}
        return next((make for field, make in kinds.items() if field in case), network)(case)

    print(torch.__version__, flush=True)
    for line in sys.stdin:
        run = prepared(line)
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

"""PyTorch's side of the benchmark: reads one request a line, answers with the seconds of one run.

Runs under a Python of its own, so that torch is no dependency of the project.
"""

import functools
import importlib.util
import json
import math
import os
import pathlib
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any


def convolution(case: dict) -> Callable[[], None]:
    """One convolution, its images and kernel channels-last, in one of the directions of `contenders`."""
    import torch

    shape = (case["batch"], case["inputs"], case["size"], case["size"])
    ends = (case["inputs"], case["outputs"] // case["groups"])
    kernel_shape = ends if case["transposed"] else (case["outputs"], case["inputs"] // case["groups"])
    last = torch.channels_last
    x = torch.randn(shape).to(memory_format=last)
    kernel = torch.randn(*kernel_shape, *(case["kernel_size"],) * 2).to(memory_format=last)
    strides, padding, dilation = ([case[name]] * 2 for name in ("strides", "padding", "dilation"))
    geometry = (strides, padding, dilation, case["transposed"], [0, 0], case["groups"])

    def forward():
        return torch.ops.aten.convolution(x, kernel, None, *geometry)

    cotangent = torch.randn_like(forward())

    def gradient(of: list[bool]):
        torch.ops.aten.convolution_backward(cotangent, x, kernel, None, *geometry, of)

    return {
        "forward": forward,
        "image gradient": lambda: gradient([True, False, False]),
        "kernel gradient": lambda: gradient([False, True, False]),
    }[case["what"]]


@functools.cache
def torchvision_models() -> tuple:
    """`torchvision.models`, and the declarations that it needs to import without its compiled operators."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    return torchvision.models, library


def built(name: str) -> Any:
    """A network of torchvision, or a twin of ours that torchvision does not have, with weights of a fixed seed."""
    import torch

    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "goldens"))
    from twins import TWINS

    torch.manual_seed(0)
    if name in TWINS:
        return TWINS[name]()
    settings = {"init_weights": False} if name == "googlenet" else {}
    return torchvision_models()[0].get_model(name, weights=None, **settings)


def network(case: dict) -> Callable[[], None]:
    """A network, channels-last: `"forward"`, or a `"step"` of gradient descent."""
    import torch
    from torch.nn import functional

    model = built(case["name"]).to(memory_format=torch.channels_last)
    channels = next(model.parameters()).shape[1]
    images = torch.randn(case["batch"], channels, case["size"], case["size"]).to(memory_format=torch.channels_last)
    labels = torch.arange(case["batch"]) % 10

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


def training(case: dict) -> Callable[[], None]:
    """An epoch of a plain loop: a shuffled set in memory, channels-last batches, momentum and decay."""
    import torch
    from torch.nn import functional

    model = built(case["model"]).to(memory_format=torch.channels_last).train()
    channels = next(model.parameters()).shape[1]
    pixels = torch.rand(case["images"], channels, case["size"], case["size"]).to(memory_format=torch.channels_last)
    labels = torch.arange(case["images"]) % 10
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)

    def epoch():
        for rows in torch.randperm(case["images"]).split(case["batch"]):
            images = (pixels[rows] - 0.5) / 0.25
            loss = functional.cross_entropy(model(images), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not math.isfinite(loss.item()):
                raise FloatingPointError("the loss is no longer finite")

    return epoch


def subject(case: dict) -> tuple:
    """A network with the weights that our side has, and its images."""
    import torch

    model = built(case["network"]).eval()
    import recipe  # beside the twins

    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(recipe.tensor(key, tuple(value.shape), 2.0)))
    shape = (case["batch"], case["size"], case["size"], 3)
    return model, torch.from_numpy(recipe.unit_images(shape)).movedim(-1, 1)


def faster_layout(gradient: Callable[[Any], Callable[[], Any]]) -> Any:
    """The memory layout in which a gradient takes less time here.

    Args:
      gradient: layout → a function that computes it.
    """
    import torch

    def seconds(layout: torch.memory_format) -> float:
        run = gradient(layout)
        run()
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return min((torch.contiguous_format, torch.channels_last), key=seconds)


def attribution(case: dict) -> Callable[[], None]:
    """One of captum's methods, in the memory layout whose gradient is faster here."""
    import torch
    from captum import attr

    warnings.simplefilter("ignore")  # captum tells of every hook it sets
    model, images = subject(case)
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

    return on(faster_layout(lambda layout: on(layout)["saliency"]))[case["method"]]


def attack(case: dict) -> Callable[[], None]:
    """An attack of foolbox or torchattacks, in the memory layout whose gradient is faster here."""
    import torch

    model, images = subject(case | {"network": "resnet20"})
    model.requires_grad_(False)
    labels = model(images).argmax(1)

    def gradient(layout: torch.memory_format) -> Callable[[], Any]:
        net = model.to(memory_format=layout)
        x = images.contiguous(memory_format=layout).requires_grad_()
        return lambda: torch.autograd.grad(net(x).sum(), x)

    layout = faster_layout(gradient)
    model.to(memory_format=layout)
    images = images.detach().contiguous(memory_format=layout)
    return {"foolbox": of_foolbox, "torchattacks": of_torchattacks}[case["peer"]](case, model, images, labels)


def of_foolbox(case: dict, model: Any, images: Any, labels: Any) -> Callable[[], None]:
    """An attack of foolbox; that of Carlini and Wagner without an early end, which depends on the whole batch."""
    import foolbox

    steps, attacks = case["steps"], foolbox.attacks
    made = {
        "pgd": lambda: attacks.LinfPGD(steps=steps),
        "carlini_wagner": lambda: attacks.L2CarliniWagnerAttack(case["searches"], steps, abort_early=False),
        "deepfool": lambda: attacks.L2DeepFoolAttack(steps=steps, candidates=10),
    }[case["attack"]]()
    victim = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    epsilon = case["epsilon"] if case["attack"] == "pgd" else None
    return lambda: made(victim, images, labels, epsilons=epsilon)


def of_torchattacks(case: dict, model: Any, images: Any, labels: Any) -> Callable[[], None]:
    """An attack of torchattacks; that of Carlini and Wagner has one weight, and gets the steps of all searches."""
    import torchattacks

    steps, epsilon = case["steps"], case["epsilon"]
    made = {
        "pgd": lambda: torchattacks.PGD(model, eps=epsilon, alpha=epsilon / 30, steps=steps),
        "apgd": lambda: torchattacks.APGD(model, eps=epsilon, steps=steps),
        "carlini_wagner": lambda: torchattacks.CW(model, steps=steps * case["searches"]),
        "deepfool": lambda: torchattacks.DeepFool(model, steps=steps),
        "square": lambda: torchattacks.Square(model, eps=epsilon, n_queries=steps),
    }[case["attack"]]()
    return lambda: made(images, labels)


def keep_memory() -> None:
    """What our side does too, from the file: this Python does not have the package."""
    file = pathlib.Path(__file__).resolve().parents[2] / "zoo" / "memory.py"
    specification = importlib.util.spec_from_file_location("memory", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.keep_memory()


def main() -> None:
    """Serve requests, the fields of a case with `"what"` to run, until the input ends.

    Arguments: `free` or `kept`; and one request, which is run once, and the peak memory in GiB printed.
    """
    memory, *once = sys.argv[1:]
    if memory != "free":
        keep_memory()
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))

    @functools.lru_cache(maxsize=2)
    def prepared(request: str) -> Callable[[], None]:
        case = json.loads(request)
        kinds = {"kernel_size": convolution, "method": attribution, "attack": attack, "images": training}
        return next((make for field, make in kinds.items() if field in case), network)(case)

    if once:
        prepared(once[0])()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        run = prepared(line)
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

"""PyTorch's side of the benchmark: reads one request a line, answers with the seconds of one run.

Runs under a Python of its own, so that torch is no dependency of the project.
"""

import functools
import json
import os
import sys
import time
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


def main() -> None:
    """Serve requests, the fields of a case with `"what"` to run, until the input ends."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))

    @functools.lru_cache(maxsize=2)
    def prepared(request: str) -> Callable[[], None]:
        case = json.loads(request)
        run = convolution(case) if "kernel_size" in case else network(case)
        run()
        return run

    print(torch.__version__, flush=True)
    for line in sys.stdin:
        run = prepared(line)
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()

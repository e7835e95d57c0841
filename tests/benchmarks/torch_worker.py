"""PyTorch's side of the benchmark: reads one request a line, answers with the seconds of one run.

Runs under a Python of its own, so that torch is no dependency of the project.
"""

import functools
import json
import sys
import time


def main() -> None:
    """Serve requests `{case fields…, "what": "forward" | "gradient"}` until the input ends."""
    import torch
    from torch.nn import functional

    @functools.cache
    def prepared(request: str):
        case = json.loads(request)
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

        run = {"forward": forward, "gradient": gradient}[case["what"]]
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

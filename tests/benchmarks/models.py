"""Whole networks: a forward pass and a step of training, against torchvision on a CPU, against the peak elsewhere."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

import zoo
from tests.benchmarks.contenders import Torch
from tests.benchmarks.timing import Run, compiled, medians, stopwatch

NAMES = (
    "alexnet",
    "vgg11",
    "googlenet",
    "resnet50",
    "resnext50_32x4d",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "shufflenet_v2_x1_0",
    "efficientnet_b0",
    "convnext_tiny",
)
DIRECTIONS = ("forward", "step")
# Multiply-accumulates of a step over those of a forward pass: the gradients in the inputs and in the weights are
# as many each.
WORK = {"forward": 1, "step": 3}
# Dense bfloat16 operations a second that the makers state, by a part of what `Device.device_kind` says.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L4": 121e12,
    "T4": 65e12,  # float16: it has no bfloat16
    "V100": 125e12,  # float16
    "TPU v6": 918e12,
    "TPU v5p": 459e12,
    "TPU v5": 197e12,
    "TPU v4": 275e12,
    "TPU v3": 123e12,
    "TPU v2": 45e12,
}


@dataclasses.dataclass(frozen=True)
class Network:
    """One network on (batch, size, size, 3) images.

    Attributes:
      name: in the catalogue and in torchvision.
      batch: number of images.
      size: height and width.
      learning_rate: of plain gradient descent; small, so that many steps on the same noise stay finite.
      aux_weight: of each auxiliary head's loss.
    """

    name: str
    batch: int = 8
    size: int = 224
    learning_rate: float = 1e-4
    aux_weight: float = 0.3


def function(network: Network, what: str, dtype: Any) -> tuple[Callable, dict[str, Any], tuple[jax.Array, ...]]:
    """What is compiled, of the variables and the rest; its variables; the rest."""
    model = zoo.create(network.name, dtype=dtype)
    shape = (network.size, network.size, 3)
    variables = zoo.init(model, jax.random.key(0, impl="rbg"), shape)
    images = jax.random.normal(jax.random.key(1), (network.batch, *shape), dtype)
    labels = jnp.arange(network.batch)

    def step(variables, images, labels, key):
        def objective(params):
            logits, updates = model.apply(
                {**variables, "params": params},
                images,
                train=True,
                rngs={"dropout": key},
                mutable=["batch_stats", "aux_logits"],
            )
            mean = lambda logits: optax.softmax_cross_entropy_with_integer_labels(  # noqa: E731
                logits.astype(jnp.float32), labels
            ).mean()
            auxiliary = jax.tree.leaves(updates.pop("aux_logits", {}))
            return mean(logits) + network.aux_weight * sum(map(mean, auxiliary)), updates

        gradients, updates = jax.grad(objective, has_aux=True)(variables["params"])
        moved = jax.tree.map(lambda p, g: p - network.learning_rate * g, variables["params"], gradients)
        return {**variables, **updates, "params": moved}

    if what == "forward":
        return model.apply, variables, (images,)
    return step, variables, (images, labels, jax.random.key(2))


def ours(network: Network, what: str, dtype: Any = jnp.float32) -> tuple[Run, float]:
    """One timed run of our network, and the seconds that its compilation took."""
    run, variables, rest = function(network, what, dtype)
    program, seconds = compiled(run, variables, *rest, donate=(0,) if what == "step" else ())
    state = variables

    def advance():
        nonlocal state
        answer = program(state, *rest)
        state = answer if what == "step" else state
        return answer

    return stopwatch(advance), seconds


def compare(network: Network, torch: Torch, budget: float) -> tuple[str, dict[str, float]]:
    """One row of the table, and our time over PyTorch's by direction."""
    cells, ratios = [f"{network.name:<26}"], {}
    for what in DIRECTIONS:
        mine, compilation = ours(network, what)
        runs = {"ours": mine}
        if torch.version:
            runs["torch"] = torch.prepare(dataclasses.asdict(network) | {"what": what})
        times = medians(runs, budget)
        cell = f"{1e3 * times['ours']:9.1f}"
        if "torch" in times:
            ratios[what] = times["ours"] / times["torch"]
            cell += f" {1e3 * times['torch']:9.1f} {ratios[what]:9.2f}"
        else:
            cell += f" {'–':>9} {'–':>9}"
        cells.append(f"{cell} {compilation:9.1f}")
    return " | ".join(cells), ratios


def peak() -> float | None:
    """Operations a second that this device could do in bfloat16; None: unknown."""
    kind = jax.devices()[0].device_kind
    return next((flops for part, flops in PEAKS.items() if part.lower() in kind.lower()), None)


def throughput(network: Network, budget: float) -> str:
    """One row of the table on an accelerator: images a second in bfloat16, and the share of the peak."""
    operations, limit = 2 * zoo.card(network.name, (network.size, network.size, 3)).macs, peak()
    cells = [f"{network.name:<26}"]
    for what in DIRECTIONS:
        run, compilation = ours(network, what, jnp.bfloat16)
        images = network.batch / medians({"ours": run}, budget)["ours"]
        share = f"{images * operations * WORK[what] / limit:9.1%}" if limit else f"{'–':>9}"
        cells.append(f"{images:9.0f} {share} {compilation:9.1f}")
    return " | ".join(cells)


def table(only: str, torch: Torch, budget: float, batch: int | None) -> None:
    """Print a row for each network, and the geometric mean of the ratios.

    Args:
      only: part of a network's name.
      torch: PyTorch, where it is found.
      budget: seconds for each contender and direction.
      batch: number of images; None: 8 on a CPU, 256 elsewhere.
    """
    on_cpu = jax.default_backend() == "cpu"
    networks = [Network(name, batch or (8 if on_cpu else 256)) for name in NAMES if only in name]
    if not on_cpu:
        print(f"{networks[0].batch} images of 224² in bfloat16; peak: share of {peak() or 0:.3g} operations a second\n")
        head = f"{'images/s':>9} {'peak':>9} {'compile s':>9}"
        print(" | ".join([f"{'forward | step':<26}", head, head]))
        for network in networks:
            print(throughput(network, budget), flush=True)
        return
    print(f"{networks[0].batch} images of 224², float32; ms: ours and torchvision's; step: loss, gradient, update\n")
    head = f"{'ms':>9} {'torch ms':>9} {'ratio':>9} {'compile s':>9}"
    print(" | ".join([f"{'forward | step':<26}", head, head]))
    collected: dict[str, list[float]] = {what: [] for what in DIRECTIONS}
    for network in networks:
        row, ratios = compare(network, torch, budget)
        print(row, flush=True)
        for what, ratio in ratios.items():
            collected[what].append(ratio)
    for what, found in collected.items():
        if found:
            print(f"geometric mean of the {what} ratios: {math.prod(found) ** (1 / len(found)):.2f}")

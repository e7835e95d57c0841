"""Whole networks: a forward pass and a step of training, against torchvision on a CPU, against the peak elsewhere."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

import zoo
from tests.benchmarks import memory
from tests.benchmarks.contenders import Torch
from tests.benchmarks.timing import Run, compiled, medians, print_means, stopwatch
from zoo import catalog

DIRECTIONS = ("forward", "step")
ACCELERATOR_BATCH = 256
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
    """One network on (batch, size, size, channels) images, where the catalogue knows the channels.

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

    @property
    def row(self) -> str:
        """Of the table."""
        return f"{self.name} {self.batch}·{self.size}²"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an image."""
        return (self.size, self.size, catalog.variant(self.name).input_shape[-1])


NETWORKS = (
    *(
        Network(name)
        for name in (
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
    ),
    *(Network(name, batch, 32) for name in ("resnet20", "lenet5") for batch in (64, 128)),
    Network("resnet18", 32, 128),
    *(Network(name, 32) for name in ("resnet50", "mobilenet_v2", "convnext_tiny")),
)
NAMES = [network.row for network in NETWORKS]


def function(network: Network, what: str, dtype: Any) -> tuple[Callable, dict[str, Any], tuple[jax.Array, ...]]:
    """What is compiled, of the variables and the rest; its variables; the rest."""
    model = zoo.create(network.name, dtype=dtype)
    variables = zoo.init(model, jax.random.key(0, impl="rbg"), network.shape)
    images = jax.random.normal(jax.random.key(1), (network.batch, *network.shape), dtype)
    labels = jnp.arange(network.batch) % 10

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
    cells, ratios = [f"{network.row:<26}"], {}
    for what in DIRECTIONS:
        mine, compilation = ours(network, what)
        request = dataclasses.asdict(network) | {"what": what}
        runs = {"ours": mine}
        if torch.version:
            runs["torch"] = torch.prepare(request)
        times = medians(runs, budget)
        held = memory.peak("models", f"{network.row}/{what}")
        theirs = f"{'–':>8} {'–':>6}", f"{'–':>5}"
        if "torch" in times:
            ratios[what] = times["ours"] / times["torch"]
            theirs = f"{1e3 * times['torch']:8.1f} {ratios[what]:6.2f}", f"{torch.memory(request):5.2f}"
        cells.append(f"{1e3 * times['ours']:8.1f} {theirs[0]} {compilation:9.1f} {held:5.2f} {theirs[1]}")
    return " | ".join(cells), ratios


def once(row: str) -> None:
    """Run a direction of a network once: `"resnet20 64·32²/step"`."""
    name, what = row.rsplit("/", 1)
    ours(next(network for network in NETWORKS if network.row == name), what)


def peak() -> float | None:
    """Operations a second that this device could do in bfloat16; None: unknown."""
    kind = jax.devices()[0].device_kind
    return next((flops for part, flops in PEAKS.items() if part.lower() in kind.lower()), None)


def throughput(network: Network, budget: float) -> str:
    """One row of the table on an accelerator: images a second in bfloat16, and the share of the peak."""
    operations, limit = 2 * zoo.card(network.name, network.shape).macs, peak()
    cells = [f"{network.row:<26}"]
    for what in DIRECTIONS:
        run, compilation = ours(network, what, jnp.bfloat16)
        images = network.batch / medians({"ours": run}, budget)["ours"]
        share = f"{images * operations * WORK[what] / limit:9.1%}" if limit else f"{'–':>9}"
        cells.append(f"{images:9.0f} {share} {compilation:9.1f}")
    return " | ".join(cells)


def table(only: str, torch: Torch, budget: float) -> None:
    """Print a row for each network, and the geometric mean of the ratios.

    Args:
      only: part of a row's name.
      torch: PyTorch, where it is found.
      budget: seconds for each contender and direction.
    """
    networks = [network for network in NETWORKS if only in network.row]
    if jax.default_backend() != "cpu":
        accelerator(networks, budget)
        return
    print(
        "batch · size, float32; ms: ours and PyTorch's; step: loss, gradient, update; GiB: peak, ours and PyTorch's\n"
    )
    head = f"{'ms':>8} {'torch':>8} {'ratio':>6} {'compile s':>9} {'GiB':>5} {'torch':>5}"
    print(" | ".join([f"{'forward | step':<26}", head, head]))
    rows = []
    for network in networks:
        row, ratios = compare(network, torch, budget)
        print(row, flush=True)
        rows.append(ratios)
    print_means(rows)


def accelerator(networks: Sequence[Network], budget: float) -> None:
    """Print a row for each network, with batches that fill an accelerator."""
    print(f"{ACCELERATOR_BATCH} images in bfloat16; peak: share of {peak() or 0:.3g} operations a second\n")
    head = f"{'images/s':>9} {'peak':>9} {'compile s':>9}"
    print(" | ".join([f"{'forward | step':<26}", head, head]))
    for network in dict.fromkeys(dataclasses.replace(network, batch=ACCELERATOR_BATCH) for network in networks):
        print(throughput(network, budget), flush=True)

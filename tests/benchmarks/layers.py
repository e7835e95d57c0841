"""Single layers: against `flax.linen` and PyTorch, and two measured claims about what layers cost."""

import dataclasses

import jax
import jax.numpy as jnp

from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.contenders import DIRECTIONS, Torch, flax, ours, prepare
from tests.benchmarks.timing import medians, print_means, timed
from zoo.layers import Conv, DeformableConv, convolution, dense_kernel_to_conv, max_pool


def compare(case: Case, torch: Torch, budget: float) -> tuple[str, dict[str, float]]:
    """One row of the table, and our time over PyTorch's by direction."""
    cells, compilation, ratios = [f"{case.name:<30}"], 0.0, {}
    for direction in DIRECTIONS:
        mine, seconds = prepare(ours(case), case, direction)
        theirs, _ = prepare(flax(case), case, direction)
        compilation += seconds
        runs = {"ours": mine, "flax": theirs}
        if torch.version and jax.default_backend() == "cpu":
            runs["torch"] = torch.prepare(dataclasses.asdict(case) | {"padding": case.padding, "what": direction})
        times = medians(runs, budget)
        against = f"{'–':>6}"
        if "torch" in times:
            ratios[direction] = times["ours"] / times["torch"]
            against = f"{ratios[direction]:6.2f}"
        cells.append(f"{1e3 * times['ours']:8.2f} {times['flax'] / times['ours']:6.2f} {against}")
    return " | ".join([*cells, f"{compilation:7.2f}"]), ratios


def deformable(budget: float) -> str:
    """What the freedom of a deformable convolution costs."""
    x = jax.random.normal(jax.random.key(0), (8, 32, 32, 64))
    runs, gradients = {}, {}
    for name, layer in {"standard": Conv(64, 3), "deformable": DeformableConv(64, 3)}.items():
        variables = layer.init(jax.random.key(1), x)
        spread = lambda leaf: leaf + 0.1 * jax.random.normal(jax.random.key(2), leaf.shape)  # noqa: E731
        variables = jax.tree.map(spread, variables)
        loss = lambda variables, x, layer=layer: layer.apply(variables, x).sum()  # noqa: E731
        runs[name] = timed(layer.apply, variables, x)[0]
        gradients[name] = timed(jax.grad(loss, (0, 1)), variables, x)[0]
    forward, gradient = (medians(contenders, budget) for contenders in (runs, gradients))
    return (
        "deformable 3×3, 64 channels, 32², against the standard convolution: "
        f"forward {forward['deformable'] / forward['standard']:.1f} times its time, "
        f"gradient {gradient['deformable'] / gradient['standard']:.1f}"
    )


def dense_as_convolution(budget: float) -> str:
    """A 32-pixel network on 64 pixels: once, with its dense layer as a convolution, against crop by crop."""
    keys = jax.random.split(jax.random.key(0), 5)
    kernels = [jax.random.normal(k, (3, 3, i, o)) for k, i, o in zip(keys, (3, 32, 64), (32, 64, 64), strict=False)]
    dense = jax.random.normal(keys[3], (2 * 2 * 64, 10))

    def network(x):
        for kernel in kernels:
            x = max_pool(jax.nn.relu(convolution(x, kernel, padding="VALID")), 2)
        return convolution(x, dense_kernel_to_conv(dense, 2), padding="VALID")

    image = jax.random.normal(keys[4], (1, 64, 64, 3))
    side = jax.eval_shape(network, image).shape[1]
    crops = jnp.concatenate(
        [image[:, 8 * i : 8 * i + 32, 8 * j : 8 * j + 32] for i in range(side) for j in range(side)]
    )
    images = {"once": image, "crops": crops, "one crop": crops[:1]}
    result = medians({name: timed(network, x)[0] for name, x in images.items()}, budget)
    return (
        f"dense layer as convolution, 32-pixel network on 64²: {side}×{side} answers at "
        f"{result['once'] / result['one crop']:.1f} times the cost of one, "
        f"against {result['crops'] / result['one crop']:.1f} crop by crop"
    )


def table(only: str, torch: Torch, budget: float) -> None:
    """Print a row for each case, and the geometric means; without `only`, the claims too.

    Args:
      only: part of a case's name.
      torch: PyTorch, where it is found.
      budget: seconds for each contender and direction.
    """
    print("ms: ours; flax: its time over ours; torch: our time over its; batch in front, 8 unless said\n")
    head = f"{'ms':>8} {'flax/':>6} {'/torch':>6}"
    directions = " | ".join(f"{direction:^22}" for direction in DIRECTIONS)
    print(f"{'':<30} | {directions} |")
    print(" | ".join([f"{'(56, 56, 128) unless said':<30}", *[head] * len(DIRECTIONS), "compile"]))
    rows = []
    for case in CASES:
        if only in case.name:
            row, ratios = compare(case, torch, budget)
            print(row, flush=True)
            rows.append(ratios)
    print_means(rows)
    if not only:
        print(deformable(budget), dense_as_convolution(budget), sep="\n")

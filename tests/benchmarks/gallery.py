"""`python -m tests.benchmarks.gallery`: a picture and a row of the README for every kind of layer.

The pictures go to `docs/gallery/`: how strongly the middle output depends on each pixel, the root
mean square of the gradient over random images and weights. A layer whose picture would be that of an earlier one
refers to it. The rows go between the README's two marks.
"""

import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from convzoo.jaxprs import interpret
from zoo import layers
from zoo.cards import multiply_accumulates
from zoo.layers import parameter_count

SHAPE = (32, 32, 64)
PIXELS = 17
"""Side of the images whose middle output is examined: that of a layer of stride 2 then lies over the middle pixel."""
FAINTEST = 0.1
"""Opacity of a pixel that the output depends on at all."""
ROUNDING = 1e-6
"""Share of the strongest dependence up to which a gradient is taken for zero."""
ALIKE = 0.1
"""Difference of two dependences, as shares of the strongest, that the eye does not tell apart in a small picture."""

# Name, what it is for, the layer at 64 channels.
ROWS = [
    ("Conv", "the same template everywhere", layers.Conv(64, 3)),
    ("Conv, stride 2", "halve the image while looking", layers.Conv(64, 3, strides=2)),
    ("Conv, dilation 2", "see further with as many weights", layers.Conv(64, 3, dilation=2)),
    ("Conv, 4 groups", "fewer weights; groups do not see each other", layers.Conv(64, 3, groups=4)),
    ("PointwiseConv", "mix channels at every pixel", layers.PointwiseConv(64)),
    ("DepthwiseConv", "filter every channel alone", layers.DepthwiseConv(3)),
    ("DepthwiseSeparableConv", "filter alone, then mix: an eighth of the cost", layers.DepthwiseSeparableConv(64, 3)),
    ("SpatiallySeparableConv", "columns, then rows", layers.SpatiallySeparableConv(64, 3)),
    ("CoordConv", "answers that are a position", layers.CoordConv(64, 3)),
    ("UnsharedConv", "aligned images, where each place has its meaning", layers.UnsharedConv(64, 3)),
    ("TransposedConv, stride 2", "learned upsampling, with a checkerboard at k = 3", layers.TransposedConv(64, 3, 2)),
    ("ResizeConv, stride 2", "upsampling without a checkerboard", layers.ResizeConv(64, 3, 2)),
    ("DeformableConv", "taps that follow the object", layers.DeformableConv(64, 3, modulated=True)),
    ("max_pool 3/2", "the strongest answer nearby", lambda x: layers.max_pool(x, 3, 2)),
    ("avg_pool 3/2", "the mean nearby", lambda x: layers.avg_pool(x, 3, 2)),
    ("blur_pool", "halve the image without aliasing", layers.blur_pool),
    ("channel_shuffle", "let groups of channels meet", lambda x: layers.channel_shuffle(x, 4)),
    ("LocalResponseNorm", "channels that inhibit each other", layers.LocalResponseNorm()),
    ("SqueezeExcite", "channels weighed by the whole image", layers.SqueezeExcite()),
    ("CBAM", "channels weighed, then positions", layers.CBAM()),
    ("NaiveInception", "several sizes at once; channels grow", layers.NaiveInception(16, 16, 16)),
    ("Inception", "several sizes at once, through bottlenecks", layers.Inception(16, (16, 16), (16, 16), 16)),
    ("FactorisedInception", "large kernels from small ones", layers.FactorisedInception(16, (16, 16), (16, 16), 16)),
    ("PlainBlock", "two convolutions: the control", layers.PlainBlock(64)),
    ("BasicBlock", "what is added to the input", layers.BasicBlock(64)),
    ("BottleneckBlock", "the same through a narrow waist", layers.BottleneckBlock(16)),
    ("PreActivationBlock", "an identity from end to end", layers.PreActivationBlock(64)),
    ("PreActivationBottleneckBlock", "both of these", layers.PreActivationBottleneckBlock(16)),
    ("HighwayBlock", "a gate between input and branch", layers.HighwayBlock(64)),
    ("DenseBlock, 2 layers", "every layer reads all before it", layers.DenseBlock(2, 16)),
]

SAME = {
    "Conv": (
        "Conv, stride 2",
        "Conv, 4 groups",
        "DepthwiseConv",
        "DepthwiseSeparableConv",
        "SpatiallySeparableConv",
        "CoordConv",
        "UnsharedConv",
        "max_pool 3/2",
        "avg_pool 3/2",
    ),
    "PointwiseConv": ("channel_shuffle", "LocalResponseNorm"),
    "ResizeConv, stride 2": ("blur_pool",),
    "SqueezeExcite": ("CBAM",),
    "BasicBlock": ("PreActivationBlock",),
    "BottleneckBlock": ("PreActivationBottleneckBlock",),
}
"""Layers that share the picture of an earlier one; `main` refuses to write what the patterns contradict."""
SHARED = {name: first for first, names in SAME.items() for name in names}


class Plain(nn.Module):
    """A function without variables, as a layer."""

    function: object

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply the function."""
        return self.function(x)  # type: ignore[operator]


def variables_of(layer: nn.Module, x: jax.Array, seed: int):
    """Random variables, on the scale of their fan-in; statistics positive."""
    rng = np.random.default_rng(seed)

    def draw(leaf):
        scale = 1 / np.sqrt(max(1, np.prod(leaf.shape[:-1])))
        values = rng.normal(size=leaf.shape) * scale if leaf.ndim > 1 else rng.uniform(0.5, 1.0, leaf.shape)
        return jnp.asarray(values, leaf.dtype)

    return jax.tree.map(draw, jax.eval_shape(layer.init, jax.random.key(0), x))


def multiplications(layer: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of the convolutions and matrix products for one image."""
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(layer.init, jax.random.key(0), x)
    total = 0

    def rule(equation, values, path):
        nonlocal total
        total += multiply_accumulates(equation)
        return [None] * len(equation.outvars)

    program = jax.make_jaxpr(layer.apply)(variables, x)
    interpret(program, [None] * len(program.in_avals), rule)
    return total


def pattern(layer: nn.Module, draws: int = 12) -> np.ndarray:
    """(PIXELS, PIXELS) root mean square of the gradient of the outputs over the middle pixel, the largest 1."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(1, PIXELS, PIXELS, SHAPE[-1])), jnp.float32)

    def middle(x, variables):
        y = layer.apply(variables, x)
        first, count = y.shape[1] // 2, max(1, y.shape[1] // PIXELS)
        first -= first % count
        return y[0, first : first + count, first : first + count].sum()

    gradient = jax.jit(jax.grad(middle))
    energy = np.zeros((PIXELS, PIXELS))
    for seed in range(draws):
        x = jnp.asarray(rng.normal(size=x.shape), jnp.float32)
        energy += np.square(gradient(x, variables_of(layer, x, seed))[0]).sum(-1)
    return np.sqrt(energy / energy.max())


def alike(strength: np.ndarray, other: np.ndarray) -> bool:
    """Whether two patterns, laid upon each other, cover the same pixels about as strongly."""
    one, other = (_cropped(pattern) for pattern in (strength, other))
    return (
        one.shape == other.shape
        and bool(((one > ROUNDING) == (other > ROUNDING)).all())
        and bool(abs(one - other).max() < ALIKE)
    )


def _cropped(strength: np.ndarray) -> np.ndarray:
    """The part of a pattern that holds all of it."""
    rows, columns = np.nonzero(strength > ROUNDING)
    return strength[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def shared(patterns: dict[str, np.ndarray]) -> dict[str, str]:
    """The first layer of the same pattern, for each that is not the first."""
    firsts: list[str] = []
    others = {}
    for name, strength in patterns.items():
        first = next((first for first in firsts if alike(strength, patterns[first])), None)
        if first is None:
            firsts.append(name)
        else:
            others[name] = first
    return others


def picture(strength: np.ndarray, cell: int = 8) -> str:
    """The pattern as SVG squares, black where the output depends most and `FAINTEST` where it hardly does.

    They lie on a white ground with a frame.
    """
    side = PIXELS * cell
    squares = [
        f'<rect x="{cell * j}" y="{cell * i}" width="{cell}" height="{cell}" '
        f'fill-opacity="{FAINTEST + (1 - FAINTEST) * value:.2f}"/>'
        for (i, j), value in np.ndenumerate(strength)
        if value > ROUNDING
    ]
    frame = f'<rect width="{side}" height="{side}" fill="white" stroke="black"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" viewBox="0 0 {side} {side}">'
    return "\n".join([head, frame, *squares, "</svg>"]) + "\n"


def file_name(name: str) -> str:
    """Of a row's picture, in `docs/gallery`."""
    return "".join(c if c.isalnum() else "_" for c in name.lower()) + ".svg"


def row(name: str, purpose: str, layer: nn.Module) -> str:
    """Name, purpose, cost and picture of a layer as a row of Markdown."""
    cost = f"{parameter_count(layer, SHAPE):,} | {multiplications(layer, SHAPE):,}"
    shown = f'<img src="docs/gallery/{file_name(name)}" width="60" alt="{name}">'
    return f"| `{name}` | {purpose} | {cost} | {f'as `{SHARED[name]}`' if name in SHARED else shown} |"


def table() -> str:
    """All rows, under their heads."""
    heads = ["| layer | what it is for | weights | multiply-adds on 32×32×64 | what its middle output depends on |"]
    return "\n".join([*heads, "|---|---|---:|---:|---|", *(row(*entry) for entry in LAYERS)])


LAYERS = [(name, purpose, layer if isinstance(layer, nn.Module) else Plain(layer)) for name, purpose, layer in ROWS]
START, END = "<!-- gallery: written by python -m tests.benchmarks.gallery -->", "<!-- end of gallery -->"


def main() -> None:
    """Write the pictures, and the rows into the README.

    Raises:
      ValueError: pictures that are shared by layers whose patterns differ, or the reverse.
    """
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = root / "docs" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    patterns = {name: pattern(layer) for name, _, layer in LAYERS}
    if shared(patterns) != SHARED:
        raise ValueError(f"SAME={SHARED}: expected {shared(patterns)}")
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, strength in patterns.items():
        if name not in SHARED:
            (folder / file_name(name)).write_text(picture(strength))
            print(folder / file_name(name), flush=True)
    readme = root / "README.md"
    before, _, rest = readme.read_text().partition(START)
    readme.write_text(f"{before}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()

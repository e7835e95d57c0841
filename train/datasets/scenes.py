"""Procedural colour images of one object each, with exact class, place, mask and scale.

Ten classes: eight outlines and two textures. Place, scale, rotation, colours, background and clutter
are drawn independently of the class, so that only form tells it; a watermark can be added that betrays it.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import numpy as np

from convzoo.checks import choice, integer
from train.datasets.dataset import Dataset, Split

Watermark = Literal["none", "class", "shuffled"]
Field = Callable[[np.ndarray, np.ndarray], np.ndarray]

DIGITS = (
    ("###", "# #", "# #", "# #", "###"),
    (" # ", "## ", " # ", " # ", "###"),
    ("###", "  #", "###", "#  ", "###"),
    ("###", "  #", " ##", "  #", "###"),
    ("# #", "# #", "###", "  #", "  #"),
    ("###", "#  ", "###", "  #", "###"),
    ("###", "#  ", "###", "# #", "###"),
    ("###", "  #", " # ", " # ", " # "),
    ("###", "# #", "###", "# #", "###"),
    ("###", "# #", "###", "  #", "###"),
)

CHUNK, DRAWS = 256, 64
STROKES, COARSE = 3, 5
RADIUS, REACH, TILT = (0.22, 0.34), 1.2, math.pi / 6


class Shape(NamedTuple):
    """The form of a class, as functions of place.

    Attributes:
      outline: signed distance to the edge, negative inside; x to the right and y up, in radii from
        the centre of gravity.
      texture: signed distance to the border between two colours; None: one colour.
    """

    outline: Field
    texture: Field | None = None


def _disc(x, y, radius=1.0):
    return np.hypot(x, y) - radius


def _square(x, y):
    return np.maximum(abs(x), abs(y)) - 0.8


def _triangle(x, y):
    return np.maximum(-y, abs(x) * math.sqrt(0.75) + y / 2) - 0.55


def _cross(x, y):
    long, short = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
    return np.maximum(long - 1, short - 0.3)


def _star(x, y, points=5, outer=1.1, inner=0.45):
    half = math.pi / points
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    angle = abs((angle + half) % (2 * half) - half)
    along, across = inner * math.cos(half) - outer, inner * math.sin(half)
    edge = radius * np.cos(angle) - outer, radius * np.sin(angle)
    return (edge[1] * -along + edge[0] * across) / math.hypot(along, across)


def _crescent(x, y):
    x = x - 0.339
    return np.maximum(_disc(x, y, 0.9), -_disc(x - 0.42, y, 0.7))


def _heart(x, y, side=1.05):
    x, y = abs(x), y + 0.2215 * side
    lobe = side * math.sqrt(1 / 8)
    return np.minimum((x + abs(y)) * math.sqrt(0.5) - side / 2, _disc(x - lobe, y - lobe, side / 2))


def _bands(x, width):
    """Signed distance to the nearest border of parallel bands."""
    return (abs(x / width % 2 - 1) - 0.5) * width


def _checkers(x, y, width=0.533):
    x, y = _bands(x, width), _bands(y, width)
    return np.minimum(abs(x), abs(y)) * np.sign(x * y)


SHAPES = {
    "disc": Shape(_disc),
    "ring": Shape(lambda x, y: abs(_disc(x, y, 0.8)) - 0.2),
    "square": Shape(_square),
    "triangle": Shape(_triangle),
    "cross": Shape(_cross),
    "star": Shape(_star),
    "crescent": Shape(_crescent),
    "heart": Shape(_heart),
    "stripes": Shape(_disc, lambda x, y: _bands(y, 0.4)),
    "checkers": Shape(_square, _checkers),
}
CLASSES = tuple(SHAPES)


def load(
    size: int = 32,
    seed: int = 0,
    count: int = 4000,
    test_count: int = 1000,
    watermark: Watermark = "none",
    test_watermark: Watermark | None = None,
) -> Dataset:
    """Draw the scenes: two independent splits, every class in its share.

    A model trained with `watermark="class"` may read the number in the corner instead of the object;
    its accuracy under `test_watermark="none"` and `"shuffled"` tells.

    Args:
      size: height and width in pixels, at least 16; the same seed shows the same scenes at any size.
      seed: a non-negative integer.
      count: number of training images; image i is the same whatever the count, and its class is i mod 10.
      test_count: number of test images.
      watermark: a number in the lower right corner: `"none"`, `"class"` (that of the class) or
        `"shuffled"` (drawn independently of the class).
      test_watermark: that of the test images; None: as in training.

    Returns:
      A `Dataset` with three channels. `extra` holds `centre` (N, 2), row and column of the object's centre
      of gravity as fractions of the side; `mask` (N, H, W), the visible pixels of the object; `scale`
      (N,), its radius as a fraction of the side.

    Raises:
      ValueError: another size, count, seed or watermark.

    Example:
      >>> scenes = load(size=16, count=20, test_count=10, watermark="class", test_watermark="shuffled")
      >>> scenes.train.images.shape, scenes.train.extra["mask"].shape, scenes.classes[:3]
      ((20, 16, 16, 3), (20, 16, 16), ('disc', 'ring', 'square'))
    """
    test_watermark = watermark if test_watermark is None else test_watermark
    integer("size", size, 16)
    integer("seed", seed, 0)
    integer("count", count)
    integer("test_count", test_count)
    choice("watermark", watermark, get_args(Watermark))
    choice("test_watermark", test_watermark, get_args(Watermark))
    return Dataset(
        "scenes" if watermark == "none" else f"scenes:{watermark}",
        _render(size, seed, 0, count, watermark),
        _render(size, seed, 1, test_count, test_watermark),
        CLASSES,
    )


def _render(size: int, seed: int, split: int, count: int, watermark: Watermark) -> Split:
    labels = np.arange(count, dtype=np.int32) % len(SHAPES)
    chunks = [_render_chunk(size, seed, split, np.arange(i, min(i + CHUNK, count))) for i in range(0, count, CHUNK)]
    images, mask, centre, scale, strangers = (np.concatenate(part) for part in zip(*chunks, strict=True))
    if watermark != "none":
        plates = _plates(size)[labels if watermark == "class" else strangers]
        height, width = plates.shape[1:]
        images[:, -height:, -width:] = plates[..., np.newaxis]
        mask[:, -height:, -width:] = False
    return Split(images, labels, {"centre": centre, "mask": mask, "scale": scale})


def _render_chunk(size, seed, split, indices):
    """Images, masks, centres, scales, and a number drawn independently of the class, for a few indices."""
    streams = [np.random.default_rng([seed, split, index]) for index in indices]
    draws = iter(np.stack([stream.random(DRAWS, np.float32) for stream in streams], axis=1)[:, :, None, None])
    coarse = np.stack([stream.standard_normal((3, COARSE, COARSE), np.float32) for stream in streams])
    grain = np.stack([stream.standard_normal((size, size, 3), np.float32) for stream in streams])
    rows, columns = np.meshgrid(*2 * [(np.arange(size, dtype=np.float32) + 0.5) / size], indexing="ij")

    def uniform(low, high):
        return low + (high - low) * next(draws)

    def colour(level, chroma):
        hue = uniform(0, 2 * math.pi)[..., None] + np.arange(3, dtype=np.float32) * np.float32(2 * math.pi / 3)
        return level[..., None] + chroma * np.cos(hue)

    def paint(canvas, pigment, distance):
        return canvas + (pigment - canvas) * np.clip(0.5 - distance * size, 0, 1)[..., None]

    def turn(y, x, angle):
        return np.sin(angle) * x + np.cos(angle) * y, np.cos(angle) * x - np.sin(angle) * y

    side = np.where(uniform(-1, 1) < 0, np.float32(-1), np.float32(1))
    ground = 0.5 - side * uniform(0.2, 0.32)
    slope, _ = turn(rows - 0.5, columns - 0.5, uniform(0, 2 * math.pi))
    near, far = colour(ground - 0.08, 0.15), colour(ground + 0.08, 0.15)
    image = near + (far - near) * (0.5 + slope)[..., None]
    for _ in range(STROKES):
        along, across = turn(rows - uniform(0, 1), columns - uniform(0, 1), uniform(0, math.pi))
        beyond = np.maximum(abs(along) - uniform(0.05, 0.2), 0)
        image = paint(image, colour(uniform(0.3, 0.7), 0.2), np.hypot(beyond, across) - uniform(0.01, 0.025))
    image = image + 0.05 * np.moveaxis(_smooth(size) @ coarse @ _smooth(size).T, 1, -1)

    scale = uniform(*RADIUS)
    centre = [uniform(REACH * scale, 1 - REACH * scale) for _ in range(2)]
    y, x = turn(-(rows - centre[0]) / scale, (columns - centre[1]) / scale, uniform(-TILT, TILT))
    outline, texture = np.empty_like(x), np.full_like(x, np.inf)
    for label, shape in enumerate(SHAPES.values()):
        those = indices % len(SHAPES) == label
        outline[those] = shape.outline(x[those], y[those])
        if shape.texture:
            texture[those] = shape.texture(x[those], y[those])
    first, second = colour(0.5 + side * uniform(0.25, 0.35), 0.15), colour(0.5 + side * uniform(-0.05, 0.05), 0.25)
    image = paint(image, paint(first + np.zeros_like(image), second, texture * scale), outline * scale)
    image = np.clip(image + 0.02 * grain, 0, 1, dtype=np.float32)
    stranger = (uniform(0, 1)[:, 0, 0] * len(SHAPES)).astype(np.int32)
    return image, outline < 0, np.stack(centre, axis=-1)[:, 0, 0], scale[:, 0, 0], stranger


def _smooth(size):
    """(size, COARSE) matrix of linear interpolation."""
    place = (np.arange(size, dtype=np.float32) + 0.5) / size * (COARSE - 1)
    return np.maximum(0, 1 - abs(place[:, None] - np.arange(COARSE, dtype=np.float32)))


def _plates(size):
    """(10, H, W) digits, white on black."""
    cell = max(1, round(size / 32))
    glyphs = np.array([[[mark == "#" for mark in row] for row in digit] for digit in DIGITS], np.float32)
    return np.pad(glyphs, ((0, 0), (1, 1), (1, 1))).repeat(cell, axis=1).repeat(cell, axis=2)

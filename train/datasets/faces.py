"""Procedural faces: heads with an identity that stays, and a pose, light and expression that change.

A head is an ellipsoid that is turned and lit; hair, eyes, brows, nose and mouth are painted on it. Training and test
images show different identities, as a network that verifies faces must tell apart people that it has never met.
"""

import math
from typing import Any

import numpy as np

from convzoo.checks import integer
from train.datasets.dataset import Dataset, Split

CHUNK, GROUP = 128, 4
"""Images rendered at once, and images of an identity that follow each other."""

TRAITS: dict[str, tuple[float, float]] = {
    "width": (0.50, 0.68),
    "height": (0.72, 0.90),
    "skin": (0.42, 0.88),
    "skin_hue": (-0.05, 0.05),
    "hair": (0.05, 0.75),
    "hair_hue": (-0.12, 0.12),
    "hairline": (0.28, 0.62),
    "fringe": (-0.35, 0.35),
    "sideburn": (0.30, 0.56),
    "eye_spacing": (0.17, 0.27),
    "eye_level": (0.02, 0.18),
    "eye_width": (0.07, 0.115),
    "eye_height": (0.035, 0.065),
    "iris": (0.05, 0.55),
    "brow_gap": (0.09, 0.15),
    "brow_tilt": (-0.35, 0.35),
    "brow_thickness": (0.016, 0.045),
    "nose_length": (0.14, 0.26),
    "nose_width": (0.05, 0.10),
    "mouth_level": (-0.48, -0.34),
    "mouth_width": (0.12, 0.23),
    "lips": (0.025, 0.06),
    "lip_redness": (0.05, 0.25),
    "beard": (-0.5, 0.45),
}
"""Range of each trait of an identity, in half the image's side or in brightness; a beard below 0 is none."""

CONDITIONS: dict[str, tuple[float, float]] = {
    "yaw": (-0.55, 0.55),
    "pitch": (-0.25, 0.25),
    "roll": (-0.2, 0.2),
    "zoom": (0.92, 1.08),
    "row": (-0.06, 0.06),
    "column": (-0.06, 0.06),
    "smile": (-0.5, 0.9),
    "openness": (0.0, 0.03),
    "squint": (0.75, 1.0),
    "light_angle": (-1.2, 1.2),
    "light_level": (-0.5, 0.8),
    "light": (0.25, 0.75),
    "exposure": (0.75, 1.05),
    "warmth": (-0.06, 0.06),
    "ground": (0.1, 0.9),
    "ground_hue": (0.0, 2 * math.pi),
    "slope": (-0.15, 0.15),
}
"""Range of each condition of an image: angles in radians, lengths in half the image's side."""


def load(size: int = 32, seed: int = 0, identities: int = 200, images: int = 20, test_identities: int = 50) -> Dataset:
    """Draw the faces: a training and a test split of different identities.

    Args:
      size: height and width in pixels, at least 16.
      seed: a non-negative integer.
      identities: of the training images; identity i looks the same whatever their number.
      images: of each identity, at least 2.
      test_identities: further ones, of the test images.

    Returns:
      A `Dataset` with three channels; its classes are the identities of both splits.

    Raises:
      ValueError: another size, seed or number.

    Example:
      >>> faces = load(size=16, identities=3, images=4, test_identities=2)
      >>> faces.train.images.shape, faces.test.labels.tolist()
      ((12, 16, 16, 3), [3, 3, 3, 3, 4, 4, 4, 4])
    """
    integer("size", size, 16)
    integer("seed", seed, 0)
    integer("identities", identities)
    integer("images", images, 2)
    integer("test_identities", test_identities)
    total = identities + test_identities
    return Dataset(
        "faces",
        _render(size, seed, np.arange(identities), images),
        _render(size, seed, np.arange(identities, total), images),
        tuple(f"person {index}" for index in range(total)),
        "training and test images show different people",
    )


def _render(size: int, seed: int, people: np.ndarray, images: int) -> Split:
    labels, numbers = (part.ravel() for part in np.meshgrid(people, np.arange(images), indexing="ij"))
    # Groups of one identity alternate, so that a batch in this order holds pairs of the same and of different people.
    order = np.lexsort((numbers, labels, numbers // GROUP))
    labels, numbers = labels[order], numbers[order]
    traits = _draw(TRAITS, [[seed, 0, int(person)] for person in people])
    chunks = []
    for start in range(0, len(labels), CHUNK):
        part = slice(start, start + CHUNK)
        streams = [[seed, 1, int(a), int(b)] for a, b in zip(labels[part], numbers[part], strict=True)]
        those = {name: values[labels[part] - people[0]] for name, values in traits.items()}
        grain = np.stack([np.random.default_rng([*s, 1]).standard_normal((size, size, 3), np.float32) for s in streams])
        chunks.append(np.clip(_paint(size, those | _draw(CONDITIONS, streams)) + 0.02 * grain, 0, 1))
    return Split(np.concatenate(chunks).astype(np.float32), labels.astype(np.int32))


def _draw(ranges: dict[str, tuple[float, float]], streams: list[list[int]]) -> dict[str, np.ndarray]:
    """(N, 1, 1) draws of each quantity, one stream of random numbers an entry."""
    draws = np.stack([np.random.default_rng(stream).random(len(ranges), np.float32) for stream in streams])
    return {
        name: (low + (high - low) * draws[:, index])[:, None, None].astype(np.float32)
        for index, (name, (low, high)) in enumerate(ranges.items())
    }


def _paint(size: int, of: dict[str, np.ndarray]) -> np.ndarray:
    """(N, size, size, 3) images from traits and conditions."""
    x, y, inside, normal = _head(size, of)
    pixel = 2 / size / of["zoom"]

    def cover(distance):
        return np.clip(0.5 - distance / pixel, 0, 1)[..., None]

    def tone(level, hue, spread=0.0):
        return np.stack([level + hue + spread, level + 0 * hue, level - hue - spread], axis=-1)

    skin = tone(of["skin"], of["skin_hue"], 0.07)
    image = np.broadcast_to(skin, (*x.shape, 3))
    if (of["beard"] > 0).any():
        shade = np.maximum(of["beard"], 0)[..., None]
        image = image * (1 - shade * cover(y - of["mouth_level"] - 0.12))
    hair = tone(of["hair"] * 0.7, of["hair_hue"] * of["hair"], 0.03)
    for distance, colour in _features(x, y, of, skin, hair, tone):
        image = image + (colour - image) * cover(distance)
    image = image * _shade(normal, of)[..., None]
    rows, columns = _grid(size)
    ground = of["ground"] + of["slope"] * (rows + columns)
    hues = of["ground_hue"][..., None] + np.arange(3, dtype=np.float32) * np.float32(2 * math.pi / 3)
    ground = ground[..., None] + 0.1 * np.cos(hues)
    image = ground + (image - ground) * inside[..., None]
    return image * of["exposure"][..., None] + np.stack([of["warmth"], 0 * of["warmth"], -of["warmth"]], axis=-1)


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    places = (2 * np.arange(size, dtype=np.float32) + 1) / size - 1
    return -places[:, None], places[None, :]


def _head(size: int, of: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Each pixel's place on the face, its share inside the head, and the direction of the surface there.

    A ray (u, v, ·) meets the ellipsoid where a quadratic in its depth has a root, in the head's own axes.
    """
    rows, columns = _grid(size)
    u, v = (columns - of["column"]) / of["zoom"], (rows - of["row"]) / of["zoom"]
    u, v = np.cos(of["roll"]) * u + np.sin(of["roll"]) * v, np.cos(of["roll"]) * v - np.sin(of["roll"]) * u
    sin, cos = np.sin(of["yaw"]), np.cos(of["yaw"])
    sine, cosine = np.sin(of["pitch"]), np.cos(of["pitch"])
    # Rows of the inverse rotation: the head's axes as combinations of (u, v, depth).
    axes = ((cos, 0 * cos, -sin), (sin * sine, cosine, cos * sine), (sin * cosine, -sine, cos * cosine))
    radii = (of["width"], of["height"], 1.1 * of["width"])
    starts = [(axis[0] * u + axis[1] * v) / radius for axis, radius in zip(axes, radii, strict=True)]
    slopes = [axis[2] / radius for axis, radius in zip(axes, radii, strict=True)]
    a = sum(slope**2 for slope in slopes)
    b = sum(slope * start for slope, start in zip(slopes, starts, strict=True))
    root = b**2 - a * (sum(start**2 for start in starts) - 1)
    depth = (np.sqrt(np.maximum(root, 0)) - b) / a
    scaled = [start + slope * depth for start, slope in zip(starts, slopes, strict=True)]
    down, across = np.gradient(root, axis=(1, 2))
    inside = np.clip(0.5 + root / np.maximum(np.hypot(down, across), 1e-6), 0, 1)
    # The surface's direction in the head's axes, turned back to the camera's.
    local = [part / radius for part, radius in zip(scaled, radii, strict=True)]
    normal = [sum(axes[row][column] * local[row] for row in range(3)) for column in range(3)]
    length = np.maximum(np.sqrt(sum(part**2 for part in normal)), 1e-6)
    return scaled[0] * radii[0], scaled[1] * radii[1], inside, [part / length for part in normal]


def _features(x: np.ndarray, y: np.ndarray, of: dict[str, np.ndarray], skin: Any, hair: Any, tone: Any) -> Any:
    """Signed distance and colour of each thing on the face, from the first painted to the last."""
    side = abs(x)
    white, dark = np.full((1, 1, 1, 3), 0.93, np.float32), skin * 0.72
    eye_x, eye_y = side - of["eye_spacing"], y - of["eye_level"]
    height = of["eye_height"] * of["squint"]
    eye = (np.hypot(eye_x / of["eye_width"], eye_y / height) - 1) * height
    iris = np.maximum(np.hypot(eye_x, eye_y) - 0.85 * height, eye)
    nose_y = of["eye_level"] - of["nose_length"] - y
    nose = np.maximum(abs(nose_y - 0.02) - 0.028, side - of["nose_width"])
    ridge = np.maximum(abs(x - 0.02) - 0.014, abs(nose_y + of["nose_length"] / 2) - of["nose_length"] / 2)
    curve = of["smile"] * (x**2 / of["mouth_width"] - of["mouth_width"] / 2)
    mouth_y = y - of["mouth_level"] - curve
    lips = np.maximum(abs(mouth_y) - of["lips"] - of["openness"], side - of["mouth_width"])
    gap = np.maximum(abs(mouth_y) - 0.012 - of["openness"], side - 0.9 * of["mouth_width"])
    brow_y = eye_y - of["brow_gap"] - of["brow_tilt"] * eye_x
    brow = np.maximum(abs(brow_y) - of["brow_thickness"], abs(eye_x) - 1.3 * of["eye_width"])
    red = tone(of["skin"] * 0.62, of["lip_redness"])
    top = of["hairline"] + of["fringe"] * x - y
    return (
        (ridge, dark),
        (nose, dark),
        (lips, red),
        (gap, red * 0.35),
        (eye, white),
        (iris, tone(of["iris"], of["hair_hue"])),
        (brow, hair * 0.8),
        (np.minimum(top, np.maximum(of["sideburn"] - side, -0.05 - y)), hair),
    )


def _shade(normal: list[np.ndarray], of: dict[str, np.ndarray]) -> np.ndarray:
    """Brightness of a matte surface under one lamp and light from everywhere."""
    lamp = [np.sin(of["light_angle"]), np.sin(of["light_level"]), np.cos(of["light_angle"])]
    length = np.sqrt(sum(part**2 for part in lamp))
    direct = sum(part * other for part, other in zip(normal, lamp, strict=True)) / length
    return 1 - of["light"] + of["light"] * 1.25 * np.maximum(direct, 0)

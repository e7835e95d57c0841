"""Weights and images that both frameworks derive from names and seeds, so that no golden has to store them."""

import hashlib

import numpy as np


def tensor(key: str, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """The array of one state-dictionary key, in PyTorch's layout, from a generator seeded with the key's name.

    Weights have variance gain / fan-in, so that signals neither die nor explode; the statistics of a
    normalization are away from 0 and 1, so that forgetting one of them shows.
    """
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        return (1 + 0.4 * np.tanh(normal)).astype(np.float32)
    if key.endswith(("running_mean", "bias")):
        return np.float32(0.1) * normal
    if len(shape) < 2:
        return (1 + 0.2 * np.tanh(normal)).astype(np.float32)
    fan_in = int(np.prod(shape[1:]))
    return normal * np.float32(np.sqrt(gain / fan_in))


def images(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """(N, H, W, C) standard normal images."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def unit_images(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """(N, H, W, C) images uniform in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


def sample(features: np.ndarray, count: int = 48) -> np.ndarray:
    """Evenly spread entries of an (N, H, W, C) array: enough to tell two feature maps apart."""
    flat = np.asarray(features, np.float32).reshape(-1)
    return flat[np.linspace(0, flat.size - 1, count).astype(int)]

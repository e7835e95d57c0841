"""Images that stay in their files, and are decoded batch by batch by threads that work ahead."""

import collections
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from convzoo import pictures
from train.datasets import decoding

AHEAD = 2
"""Batches that are decoded while another is used; they bound the memory."""
CHUNK = 256
"""Images of a pass over all of them that are in memory at once."""
SHARE = 0.25
"""Share of the machine's memory above which a set of images is streamed; loading one takes up to twice its size."""


class Stream:
    """Pictures in files, indexed like an array of images; only the images that an index selects are decoded.

    Args:
      files: of the pictures.
      image_shape: (size, size, C); gray pictures are repeated where C is 3, coloured ones become gray where it is 1.
      keep_proportions: as in `decoding.square`.

    Attributes:
      shape: (N, size, size, C).
      dtype: float32; values are in [0, 1].

    Example:
      >>> stream = Stream([Path("a.png"), Path("b.png"), Path("c.png")], (8, 8, 3))
      >>> stream.shape, len(stream.rows(np.array([2, 0])))
      ((3, 8, 8, 3), 2)
    """

    dtype = np.dtype(np.float32)
    ndim = 4

    def __init__(self, files: Sequence[Path], image_shape: tuple[int, int, int], keep_proportions: bool = False):
        self._files = np.array([str(file) for file in files])
        self._image_shape, self._keep_proportions = image_shape, keep_proportions
        self.shape = (len(files), *image_shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Decode the images of an index, a slice or an array of indices."""
        if np.ndim(rows) == 0 and not isinstance(rows, slice):
            return self._decode(self._files[rows])
        return next(self.batches([np.arange(len(self))[rows]]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All images in memory."""
        del copy
        return self[:].astype(dtype or self.dtype, copy=False)

    def rows(self, rows: np.ndarray | slice) -> "Stream":
        """Some of the images, by indices, a slice or a mask; nothing is decoded."""
        return Stream([Path(file) for file in self._files[rows]], self._image_shape, self._keep_proportions)

    def batches(self, parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The images of each array of indices, of which `AHEAD` are decoded ahead.

        Raises:
          ValueError: a file can no longer be read.
        """
        waiting: collections.deque[list[Future]] = collections.deque()
        pool = ThreadPoolExecutor(threads())
        try:
            for part in parts:
                waiting.append([pool.submit(self._decode, file) for file in self._files[part]])
                if len(waiting) > AHEAD:
                    yield self._stacked(waiting.popleft())
            while waiting:
                yield self._stacked(waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _stacked(self, futures: list[Future]) -> np.ndarray:
        images = np.empty((len(futures), *self._image_shape), np.float32)
        for image, future in zip(images, futures, strict=True):
            image[...] = future.result()
        return images

    def _decode(self, file: str) -> np.ndarray:
        try:
            array, _ = decoding.decode(pictures.content(file), self._image_shape[0], self._keep_proportions)
        except pictures.UnreadableError as error:
            raise ValueError(f"{file} can no longer be read: {error}") from None
        return pictures.as_floats(array, self._image_shape[2])


def take(images: "np.ndarray | Stream", rows: np.ndarray | slice) -> "np.ndarray | Stream":
    """Some images of an array or a stream, which stays one."""
    return images.rows(rows) if isinstance(images, Stream) else images[rows]


def fetch(images: "np.ndarray | Stream", parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The images of each array of indices, in new arrays."""
    return images.batches(parts) if isinstance(images, Stream) else (images[part] for part in parts)


def chunks(images: "np.ndarray | Stream", count: int = CHUNK) -> Iterator[np.ndarray]:
    """All images in their order, `count` at a time."""
    starts = range(0, len(images), count)
    return fetch(images, (np.arange(start, min(start + count, len(images))) for start in starts))


def exceeds_memory(images: int, size: int) -> bool:
    """Whether so many RGB images in float32 take more than `SHARE` of this machine's memory.

    Example:
      >>> exceeds_memory(100, 8), exceeds_memory(10**12, 224)
      (False, True)
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows does not tell.
        memory = 8 << 30
    return images * size * size * 3 * np.dtype(np.float32).itemsize > SHARE * memory


def threads() -> int:
    """Threads that decode: one a core."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Files of pictures as images: decoded in parallel, kept on disk by their files' content, unreadable ones listed."""

import contextlib
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL

from convzoo import files as disk
from convzoo.pictures import UnreadableError, as_floats, content
from train.datasets import decoding
from train.datasets.stream import Stream, threads

LISTED = 5
"""Unreadable files that a message names."""
WORTH_KEEPING = 4 << 20
"""Bytes of files from which decoded images are kept on disk: fewer are decoded in a moment."""
TOGETHER = 16
"""Files of one call of a thread."""
RULES = 2
"""Number of the rules of `decoding` and of the cache; images that were decoded by others are not used."""
SEVERAL = "several"
"""Entry of the cache with the digests of files that hold further pictures."""


class Pictures(NamedTuple):
    """Images from files.

    Attributes:
      images: (M, size, size, C) float32 of the readable files, or a `Stream` of them; C is 1 where all are gray, or 3.
      readable: (N,) bool of all files.
      reasons: by unreadable file, the decoder's.
      several: readable files that hold further pictures, such as frames, which are left out.
    """

    images: np.ndarray | Stream
    readable: np.ndarray
    reasons: Mapping[Path, str]
    several: Sequence[Path] = ()

    @property
    def remark(self) -> str:
        """On files with further pictures; empty where there are none."""
        if not self.several:
            return ""
        return (
            f"{len(self.several)} file(s) hold several pictures, such as {self.several[0]}: the first of each is used"
        )


class _Decoded(NamedTuple):
    """Result of reading a file.

    Attributes:
      image: its array, or only its number of channels for a stream; None: it is not readable.
      text: the digest of its bytes, or the reason.
      bytes: that were decoded; 0 where the cache had the image.
      several: whether it holds further pictures.
    """

    image: Any
    text: str
    bytes: int = 0
    several: bool = False


def read(
    files: Sequence[Path],
    size: int,
    keep_proportions: bool = False,
    root: Path | None = None,
    stream: bool = False,
    channels: int | None = None,
) -> Pictures:
    """Read pictures; every file is decoded once, so that unreadable ones are listed before any work.

    What was decoded from a `root` is kept in the cache directory by the SHA-256 of each file's bytes: a changed file is
    decoded again, whatever its name, size and date.

    Args:
      files: of the pictures.
      size: height and width in pixels.
      keep_proportions: as in `decoding.square`.
      root: folder of the files, for the cache; None: nothing is kept.
      stream: keep no image in memory.
      channels: of the images, 1 or 3; None: 1 where all pictures are gray.

    Returns:
      `Pictures`.

    Raises:
      ValueError: no file is readable.
    """
    cache = _cache(root, size, keep_proportions) if root and not stream else None
    results = _decoded(files, size, keep_proportions, cache, stream)
    readable = np.array([result.image is not None for result in results], bool)
    reasons = {file: result.text for file, result in zip(files, results, strict=True) if result.image is None}
    if not readable.any():
        raise ValueError(f"no file can be read as a picture: {listed(reasons)}")
    several = [file for file, result in zip(files, results, strict=True) if result.several]
    results = [result for result in results if result.image is not None]
    arrays = [result.image for result in results]
    if stream:
        whole = [file for file in files if file not in reasons]
        shape = (size, size, channels or max(arrays))
        return Pictures(Stream(whole, shape, keep_proportions), readable, reasons, several)
    if cache and sum(result.bytes for result in results) >= WORTH_KEEPING:
        _keep(cache, results)
    channels = channels or max(array.shape[2] for array in arrays)
    images = np.empty((len(arrays), size, size, channels), np.float32)
    for image, array in zip(images, arrays, strict=True):
        image[...] = as_floats(array, channels)
    return Pictures(images, readable, reasons, several)


def _decoded(
    files: Sequence[Path], size: int, keep_proportions: bool, cache: Path | None, stream: bool
) -> list[_Decoded]:
    """The result of reading each file; what the cache has is not decoded again."""
    kept, animated = _load(cache) if cache else ({}, set())

    def one(file: Path) -> _Decoded:
        try:
            data = content(file)
            digest = disk.sha256(data) if cache else ""
            if (array := kept.get(digest)) is not None:
                return _Decoded(array, digest, 0, digest in animated)
            array, several = decoding.decode(data, size, keep_proportions)
            return _Decoded(array.shape[2] if stream else array, digest, len(data), several)
        except UnreadableError as error:
            return _Decoded(None, str(error))

    with ThreadPoolExecutor(threads()) as pool:
        parts = [files[start : start + TOGETHER] for start in range(0, len(files), TOGETHER)]
        return [result for part in pool.map(lambda part: [one(file) for file in part], parts) for result in part]


def listed(reasons: Mapping[Path, str]) -> str:
    """Unreadable files with their reasons in a line, the first `LISTED` by name.

    Example:
      >>> listed({Path("a.png"): "not a picture"})
      'a.png (not a picture)'
    """
    more = f", and {len(reasons) - LISTED} more" if len(reasons) > LISTED else ""
    return ", ".join(f"{file} ({reason})" for file, reason in [*reasons.items()][:LISTED]) + more


def _cache(root: Path, size: int, keep_proportions: bool) -> Path:
    """The file of the images from a folder, one for each way of decoding: it replaces itself, and does not pile up."""
    key = (RULES, PIL.__version__, str(root.resolve()), size, keep_proportions)
    return disk.cache_directory() / "pictures" / f"{disk.sha256(repr(key))}.npz"


def _load(file: Path) -> tuple[dict[str, np.ndarray], set[str]]:
    """Decoded images by digest, and the digests of files with further pictures.

    Both are empty where there is no file, or a damaged one, which its check sums tell.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            kinds = [name for name in content.files if name != SEVERAL and not name.startswith("digests ")]
            rows = [zip(content[f"digests {kind}"].tolist(), content[kind], strict=True) for kind in kinds]
            return {digest: image for pairs in rows for digest, image in pairs}, {*content[SEVERAL].tolist()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}, set()


def _keep(file: Path, results: Sequence[_Decoded]) -> None:
    """Write images by digest, those of one type and number of channels as one array."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for result in results:
        groups.setdefault(f"{result.image.dtype}x{result.image.shape[2]}", {})[result.text] = result.image
    content: dict[str, Any] = {kind: np.stack([*group.values()]) for kind, group in groups.items()}
    content |= {f"digests {kind}": np.array([*group]) for kind, group in groups.items()}
    content[SEVERAL] = np.array([result.text for result in results if result.several], str)
    with contextlib.suppress(OSError):  # A full or read-only disk costs time, not the run.
        file.parent.mkdir(parents=True, exist_ok=True)
        with disk.replacing(file) as unfinished, unfinished.open("wb") as stream:
            np.savez(stream, **content)

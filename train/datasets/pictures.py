"""Files of pictures as images: decoded in parallel, kept on disk by their files' content, unreadable ones listed."""

import contextlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
from PIL import Image

from convzoo import files as disk
from train.datasets import decoding
from train.datasets.stream import Stream, threads

LISTED = 5
"""Unreadable files that a message names."""
WORTH_KEEPING = 4 << 20
"""Bytes of files from which decoded images are kept on disk: fewer are decoded in a moment."""
TOGETHER = 16
"""Files of one call of a thread."""
RULES = 1
"""Number of the rules of `decoding`; images that were decoded by others are not used."""


class Pictures(NamedTuple):
    """Images from files.

    Attributes:
      images: (M, size, size, C) float32 of the readable files, or a `Stream` of them; C is 1 where all are gray, or 3.
      readable: (N,) bool of all files.
      reasons: by unreadable file, the decoder's.
    """

    images: np.ndarray | Stream
    readable: np.ndarray
    reasons: Mapping[Path, str]


def below(folder: Path) -> list[Path]:
    """Files whose names end as pictures' do, at any depth, sorted; hidden files and folders are left out."""
    suffixes = Image.registered_extensions()
    files: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures = [name for name in names if os.path.splitext(name)[1].lower() in suffixes and name[0] != "."]
        files += [os.path.join(parent, name) for name in pictures]
    # As paths are sorted, but several times faster.
    return [Path(file) for file in sorted(files, key=lambda file: os.path.normcase(file).split(os.sep))]


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
    kept = _load(cache) if cache else {}

    def one(file: Path) -> tuple[Any, str, int]:
        """Array, and channels in its place for a stream; reason or digest; bytes that were decoded."""
        try:
            content = file.read_bytes()
            digest = disk.sha256(content) if cache else ""
            if (array := kept.get(digest)) is not None:
                return array, digest, 0
            array = decoding.decode(content, size, keep_proportions)
            return array.shape[2] if stream else array, digest, len(content)
        except (OSError, decoding.UnreadableError) as error:
            return None, (error.strerror if isinstance(error, OSError) else None) or str(error), 0

    with ThreadPoolExecutor(threads()) as pool:
        parts = [files[start : start + TOGETHER] for start in range(0, len(files), TOGETHER)]
        results = [result for part in pool.map(lambda part: [one(file) for file in part], parts) for result in part]
    readable = np.array([array is not None for array, *_ in results], bool)
    reasons = {file: text for file, (array, text, _) in zip(files, results, strict=True) if array is None}
    if not readable.any():
        raise ValueError(f"no file can be read as a picture: {listed(reasons)}")
    arrays = [array for array, *_ in results if array is not None]
    if stream:
        whole = [file for file in files if file not in reasons]
        return Pictures(Stream(whole, (size, size, channels or max(arrays)), keep_proportions), readable, reasons)
    if cache and sum(count for *_, count in results) >= WORTH_KEEPING:
        _keep(cache, {digest: array for array, digest, _ in results if array is not None})
    channels = channels or max(array.shape[2] for array in arrays)
    images = np.empty((len(arrays), size, size, channels), np.float32)
    for image, array in zip(images, arrays, strict=True):
        image[...] = decoding.as_floats(array, channels)
    return Pictures(images, readable, reasons)


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


def _load(file: Path) -> dict[str, np.ndarray]:
    """Decoded images by digest; {} where there is no file, or a damaged one, which its check sums tell."""
    try:
        with np.load(file, allow_pickle=False) as content:
            kinds = [name for name in content.files if not name.startswith("digests ")]
            rows = [zip(content[f"digests {kind}"].tolist(), content[kind], strict=True) for kind in kinds]
            return {digest: image for pairs in rows for digest, image in pairs}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _keep(file: Path, images: Mapping[str, np.ndarray]) -> None:
    """Write images by digest, those of one type and number of channels as one array."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for digest, image in images.items():
        groups.setdefault(f"{image.dtype}x{image.shape[2]}", {})[digest] = image
    content: dict[str, Any] = {kind: np.stack([*group.values()]) for kind, group in groups.items()}
    content |= {f"digests {kind}": np.array([*group]) for kind, group in groups.items()}
    with contextlib.suppress(OSError):  # A full or read-only disk costs time, not the run.
        file.parent.mkdir(parents=True, exist_ok=True)
        with disk.replacing(file) as unfinished, unfinished.open("wb") as stream:
            np.savez(stream, **content)

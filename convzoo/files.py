"""Files and folders that appear complete or not at all, their digests, locks between processes, and the cache."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

LITTER = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information", "thumbs.db"})
"""Names, in lower case, of what archives and file managers leave beside the data; more begin with a dot."""
SEAL = "sha256"
"""The last entry of a sealed dictionary: the digest of all other entries."""
SUFFIX = ".unfinished"
"""Ends the name of a file or folder that is still being written; the name starts with a dot."""


def write(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that a crash at any moment leaves the old contents or the new, never a part.

    Args:
      path: of the file; its folder must exist.
      content: text, written as UTF-8, or bytes.

    Returns:
      The path.

    Raises:
      OSError: the disk refuses.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write(f"{folder}/note.txt", "done").read_text()
      'done'
    """
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A context that gives a temporary path beside `path`, and moves what is written there to `path` at its end.

    The new file or folder replaces an old one of the same name. If the block raises, nothing changes.

    Raises:
      OSError: the disk refuses.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{SUFFIX}")
    try:
        yield unfinished
        if unfinished.is_dir() and path.exists():
            # A folder cannot be replaced in one step: set the old one aside first.
            old = path.with_name(f".{path.name}.{os.getpid()}.old{SUFFIX}")
            path.rename(old)
            unfinished.rename(path)
            shutil.rmtree(old)
        else:
            os.replace(unfinished, path)
    finally:
        remove(unfinished)


@contextlib.contextmanager
def locked(path: str | Path, wait: bool = True) -> Iterator[None]:
    """A context that holds a lock file, which stays in place; the lock dies with the process, however that ends.

    Args:
      path: of the lock file; its folder must exist.
      wait: for another process that holds it, instead of refusing.

    Raises:
      BlockingIOError: another process holds it, and `wait` is false.
      OSError: the disk refuses.
    """
    lock = filelock.FileLock(path)
    try:
        lock.acquire(blocking=wait)
    except filelock.Timeout:
        raise BlockingIOError(f"{path} is locked by another process") from None
    try:
        yield
    finally:
        lock.release()


def remove(path: str | Path) -> None:
    """Remove a file or a folder with all it holds; nothing happens where there is none."""
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove what interrupted writers have left in a folder."""
    for leftover in folder.glob(f".*{SUFFIX}"):
        remove(leftover)


def sha256(content: Path | bytes | str) -> str:
    """SHA-256 of a file, of bytes or of text, as 64 hexadecimal digits.

    Example:
      >>> sha256(b"")[:8]
      'e3b0c442'
    """
    if isinstance(content, Path):
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """A dictionary for a JSON file with the digest of its content as its last entry.

    Example:
      >>> [*sealed({"step": 3})]
      ['step', 'sha256']
    """
    return content | {SEAL: _seal(content)}


def is_sealed(content: dict[str, Any]) -> bool:
    """Whether a dictionary from a JSON file holds a digest; one whose name is damaged counts as well."""
    last = content[[*content][-1]] if content else None
    return SEAL in content or (isinstance(last, str) and len(last) == 64)


def unsealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a sealed dictionary, or of one that was written without a seal, as by versions before.

    Raises:
      ValueError: the content is not what was sealed.

    Example:
      >>> unsealed(sealed({"step": 3}) | {"step": 4})
      Traceback (most recent call last):
      ValueError: not what was written, by its SHA-256; for a change of your own, remove the entry 'sha256'
    """
    rest = {name: value for name, value in content.items() if name != SEAL}
    if is_sealed(content) and content.get(SEAL) != _seal(rest):
        raise ValueError(f"not what was written, by its SHA-256; for a change of your own, remove the entry {SEAL!r}")
    return rest


def _seal(content: dict[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's data, such as `.ipynb_checkpoints` or `._x.png`.

    Example:
      >>> [is_hidden(name) for name in ("._x.png", "__MACOSX", "Thumbs.db", "x.png")]
      [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in LITTER


def sha256_of_folder(folder: Path) -> dict[str, str]:
    """{relative path: SHA-256} of all files below a folder, sorted by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def cache_directory() -> Path:
    """The folder of downloads and compiled programs: `$CONVZOO_CACHE`, or `convzoo` in the user's cache directory."""
    if chosen := os.environ.get("CONVZOO_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convzoo"

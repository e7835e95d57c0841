"""Checkpoints: training states on disk, each complete or absent, and verified bit by bit before use.

A checkpoint is a folder named by its step: `state/`, written by Orbax, and `manifest.json` with the step, the
SHA-256 of every file in it, the shape and dtype of every array, and a SHA-256 of the manifest itself. Orbax alone
restores most single flipped bits silently as other numbers.
"""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convzoo import files
from train.state import TrainState

KEEP = 2
"""Number of checkpoints that stay: the last, and the one to fall back to."""


def steps(directory: Path) -> list[int]:
    """The steps of the checkpoints in a folder, in rising order."""
    names = [path.name for path in directory.glob("[0-9]*") if path.is_dir()]
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def save(directory: Path, state: TrainState, keep: int = KEEP) -> Path:
    """Write a checkpoint, then drop all but the last few.

    A folder named by a step is complete, whenever the process dies.

    Args:
      directory: holds the run's checkpoints; made if missing.
      state: the state to save.
      keep: number of checkpoints that stay.

    Returns:
      The checkpoint's folder.

    Raises:
      OSError: the disk refuses.
    """
    step = int(state.step)
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob(".[0-9]*"):
        files.remove(leftover)
    final = directory / str(step)
    with files.replacing(final) as unfinished:
        with _checkpointer() as writer:
            writer.save((unfinished / "state").absolute(), _stored(state))
        manifest = {"step": step, "arrays": _arrays(state), "files": _digests(unfinished)}
        (unfinished / "manifest.json").write_text(json.dumps(files.sealed(manifest), indent=1))
    for old in steps(directory)[:-keep]:
        shutil.rmtree(directory / str(old))
    return final


def restore(directory: Path, template: TrainState) -> TrainState | None:
    """Restore the last intact checkpoint; a damaged one is skipped with a warning.

    Args:
      directory: holds the run's checkpoints.
      template: a state of the same shapes and dtypes, concrete or from `jax.eval_shape`.

    Returns:
      The state, or None where there is no checkpoint.

    Raises:
      ValueError: there are checkpoints, but none is intact, or it does not fit the template.
    """
    saved = steps(directory)
    for step in reversed(saved):
        path = directory / str(step)
        problem = _damage(path)
        if problem is None:
            return _read(path, template)
        warnings.warn(f"{path} is damaged ({problem}): falling back to the one before", RuntimeWarning, stacklevel=2)
    if saved:
        raise ValueError(f"no checkpoint in {directory} is intact: remove its run directory to start anew")
    return None


def discard_after(directory: Path, step: int) -> None:
    """Remove the checkpoints of later steps, which training will write again."""
    for later in steps(directory):
        if later > step:
            shutil.rmtree(directory / str(later))


def _read(path: Path, template: TrainState) -> TrainState:
    saved, expected = _manifest(path)["arrays"], _arrays(template)
    if saved != expected:
        names = sorted(name for name in saved | expected if saved.get(name) != expected.get(name))
        raise ValueError(
            f"{path} does not fit this model and optimizer: {len(names)} array(s) differ, such as {names[0]} "
            f"({saved.get(names[0], 'not saved')}, expected {expected.get(names[0], 'none')})"
        )
    target = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), _stored(template))
    with _checkpointer() as reader:
        restored = reader.restore((path / "state").absolute(), target)
    # Fresh copies without a fixed device, as at the start of a run: one compilation serves both.
    return template._replace(**jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), restored))


def _checkpointer() -> Any:
    # A second that a refused command does not wait for.
    import orbax.checkpoint

    return orbax.checkpoint.StandardCheckpointer()


def _stored(state: TrainState) -> dict[str, Any]:
    """The fields in use: a checkpoint of the version before, which had fewer, is one without the new ones."""
    return {name: value for name, value in state._asdict().items() if value is not None}


def _damage(path: Path) -> str | None:
    try:
        manifest = _manifest(path)
        digests = _digests(path)
    except (OSError, ValueError, RecursionError):
        return "its manifest cannot be read"
    # A version before wrote no step.
    if (step := manifest.get("step", int(path.name))) != int(path.name):
        return f"it holds step {step}"
    expected = manifest["files"]
    # A file manager's own files, such as .DS_Store, are none of the checkpoint's.
    strays = {name for name in digests.keys() - expected.keys() if files.is_hidden(name.rpartition("/")[2])}
    differing = sorted(name for name in (digests | expected).keys() - strays if digests.get(name) != expected.get(name))
    return f"{differing[0]} is not what was written" if differing else None


def _manifest(path: Path) -> dict[str, Any]:
    """The manifest of a checkpoint.

    Raises:
      ValueError: content of another form, or other than what was written.
      OSError: it cannot be read.
    """
    content = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    parts = [content.get(name) for name in ("arrays", "files")] if isinstance(content, dict) else []
    if not parts or not all(isinstance(part, dict) and part for part in parts):
        raise ValueError(f"{path}/manifest.json: expected the arrays and the files of a checkpoint")
    if "step" in content and not files.is_sealed(content):
        raise ValueError(f"{path}/manifest.json: expected the SHA-256 of its content")
    return files.unsealed(content)


def _digests(path: Path) -> dict[str, str]:
    return {f"state/{name}": digest for name, digest in files.sha256_of_folder(path / "state").items()}


def _arrays(state: Any) -> dict[str, str]:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves}

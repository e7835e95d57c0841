"""Classify the pictures of a folder by a trained run: the most probable classes of each, in a CSV file."""

import argparse
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from convzoo import checks, commands, files
from convzoo.pictures import below
from train import run_directory
from train.datasets import pictures
from train.datasets.stream import chunks, exceeds_memory

TOP = 5
"""Classes of each picture, or fewer where the model has fewer."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory of task classification")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of pictures, at any depth")
    parser.add_argument("--out", type=Path, default=Path("predictions.csv"), help="default: predictions.csv")
    parser.add_argument("--batch-size", type=int, default=64, help="images at once (default: 64)")
    parser.add_argument("--skip-broken", action="store_true", help="leave out files that are no readable pictures")


def answer(options: argparse.Namespace) -> str:
    """Write the file, and say what is in it."""
    checks.integer("batch_size", options.batch_size)
    config, data = run_directory.read_config(options.run)
    if config.task != "classification":
        raise ValueError(f"{options.run} is a run of task={config.task!r}: expected 'classification'")
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder}: no such folder")
    paths = below(options.folder)
    if not paths:
        raise ValueError(f"{options.folder} holds no pictures")
    height, width, channels = data.image_shape
    if height != width:
        raise ValueError(f"{options.run} takes images of {height}×{width} pixels: expected square ones")
    stream = exceeds_memory(len(paths), height)
    read = pictures.read(paths, height, config.keep_proportions, stream=stream, channels=channels)
    if read.reasons and not options.skip_broken:
        raise ValueError(
            f"{len(read.reasons)} of {len(paths)} files cannot be read as a picture: {pictures.listed(read.reasons)}; "
            "--skip-broken leaves them out"
        )
    readable = [path for path, whole in zip(paths, read.readable, strict=True) if whole]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    top = min(TOP, len(data.classes))
    writer.writerow(["file", *(f"{name}_{rank}" for rank in range(1, top + 1) for name in ("class", "probability"))])
    names = (str(path.relative_to(options.folder)) for path in readable)
    for name, probabilities in zip(names, _probabilities(options.run, read, options.batch_size), strict=True):
        best = np.argsort(-probabilities, kind="stable")[:top]
        entries = [(data.classes[index], f"{probabilities[index]:.6f}") for index in best]
        writer.writerow([name, *(text for entry in entries for text in entry)])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    files.write(options.out, text.getvalue())
    if read.remark:
        commands.say(read.remark)
    if read.reasons:
        commands.say(f"{len(read.reasons)} of {len(paths)} files skipped: {pictures.listed(read.reasons)}")
    return f"{len(readable)} of {len(paths)} files are classified\n{options.out}"


def _probabilities(path: Path, read: pictures.Pictures, batch_size: int) -> Iterator[np.ndarray]:
    """(K,) probabilities of each picture."""
    run = run_directory.load(path)

    @jax.jit
    def predict(images):
        logits: Any = run.model.apply(run.variables, run.preprocess(images))
        return jax.nn.softmax(logits.astype(jnp.float32))

    for images in chunks(read.images, batch_size):
        filled = np.resize(images, (batch_size, *images.shape[1:]))  # one shape is compiled once
        yield from np.asarray(predict(filled))[: len(images)]

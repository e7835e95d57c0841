"""Classify the pictures of a folder by a run or a model: the most probable classes of each, in a CSV file."""

import argparse
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import zoo
from convzoo import checks, commands, files
from convzoo.pictures import below
from train import run_directory
from train.datasets import pictures
from train.datasets.stream import chunks, exceeds_memory
from zoo import catalog
from zoo.variables import stored_shape
from zoo.weights.saved import is_native

TOP = 5
"""Classes of each picture, or fewer where the model has fewer."""


class Classifier(NamedTuple):
    """A model, and the pictures that it takes.

    Attributes:
      title: the run or the model, for errors.
      classes: their names.
      image_shape: (H, W, C) of the pictures as they are read.
      keep_proportions: as in `train.datasets.decoding.square`.
      load: makes the function from images in [0, 1] to logits; only called after the pictures were read.
    """

    title: str
    classes: Sequence[str]
    image_shape: tuple[int, int, int]
    keep_proportions: bool
    load: Callable[[], Callable[[jax.Array], jax.Array]]


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="a run directory of task classification")
    parser.add_argument("--model", help="instead of RUN: a name of `python -m zoo list`, such as efficientnet_lite0")
    parser.add_argument("--weights", help="of the model: .safetensors or .pth (default: the published ones)")
    parser.add_argument("--which", choices=("raw", "ema"), help="of the weights in a file that has both")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of pictures, at any depth")
    parser.add_argument("--out", type=Path, default=Path("predictions.csv"), help="default: predictions.csv")
    parser.add_argument("--batch-size", type=int, default=64, help="images at once (default: 64)")
    parser.add_argument("--skip-broken", action="store_true", help="leave out files that are no readable pictures")


def answer(options: argparse.Namespace) -> str:
    """Write the file, and say what is in it."""
    checks.integer("batch_size", options.batch_size)
    classifier = _classifier(options)
    if not options.folder.is_dir():
        fault = "a file, expected a folder of pictures" if options.folder.exists() else "no such folder"
        raise ValueError(f"{options.folder}: {fault}")
    paths = below(options.folder)
    if not paths:
        raise ValueError(f"{options.folder} holds no pictures")
    height, width, channels = classifier.image_shape
    if height != width:
        raise ValueError(f"{classifier.title} takes images of {height}×{width} pixels: expected square ones")
    stream = exceeds_memory(len(paths), height)
    read = pictures.read(paths, height, classifier.keep_proportions, stream=stream, channels=channels)
    if read.reasons and not options.skip_broken:
        raise ValueError(
            f"{len(read.reasons)} of {len(paths)} files cannot be read as a picture: {pictures.listed(read.reasons)}; "
            "--skip-broken leaves them out"
        )
    readable = [path for path, whole in zip(paths, read.readable, strict=True) if whole]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    top = min(TOP, len(classifier.classes))
    writer.writerow(["file", *(f"{name}_{rank}" for rank in range(1, top + 1) for name in ("class", "probability"))])
    names = (str(path.relative_to(options.folder)) for path in readable)
    for name, probabilities in zip(names, _probabilities(classifier, read, options.batch_size), strict=True):
        best = np.argsort(-probabilities, kind="stable")[:top]
        entries = [(classifier.classes[index], f"{probabilities[index]:.6f}") for index in best]
        writer.writerow([name, *(text for entry in entries for text in entry)])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    files.write(options.out, text.getvalue())
    if read.remark:
        commands.say(read.remark)
    if read.reasons:
        commands.say(f"{len(read.reasons)} of {len(paths)} files skipped: {pictures.listed(read.reasons)}")
    return f"{len(readable)} of {len(paths)} files are classified\n{options.out}"


def _classifier(options: argparse.Namespace) -> Classifier:
    """The run or the model of the options.

    Raises:
      ValueError: neither or both, a run of another task, or weights that cannot be read.
    """
    if (options.run is None) == (options.model is None):
        raise ValueError("give either RUN FOLDER, with a run directory, or --model NAME FOLDER")
    if options.model is not None:
        return _of_model(options.model, options.weights, options.which)
    if options.weights or options.which:
        raise ValueError("--weights and --which are those of --model NAME: a run has its own")
    config, data = run_directory.read_config(options.run)
    if config.task != "classification":
        raise ValueError(f"{options.run} is a run of task={config.task!r}: expected 'classification'")

    def load() -> Callable[[jax.Array], jax.Array]:
        run = run_directory.load(options.run)
        return zoo.logits_fn(run.model, run.variables, run.preprocess)

    return Classifier(str(options.run), data.classes, data.image_shape, config.keep_proportions, load)


def _of_model(name: str, weights: str | None, which: Literal["raw", "ema"] | None) -> Classifier:
    """A catalogued model, which sees the centre of pictures where its preprocessing crops them."""
    model, variables, preprocess = (
        zoo.load(weights)
        if weights and is_native(weights)
        else zoo.load_pretrained(name, weights, num_classes="file" if weights else None, which=which)
    )
    if getattr(model, "num_classes", None) == 1:
        commands.say(f"{weights}: the one logit is read as two classes, 0 and 1, with the probability of its sigmoid")
        model, variables = zoo.surgery.with_two_classes(model, variables)
    classes = zoo.class_names(model) or [f"class {number}" for number in range(getattr(model, "num_classes", 0))]
    if not classes:
        raise ValueError(f"{name} has no classes: expected a classifier")
    *size, channels = catalog.variant(name).input_shape
    size = [preprocess.size] * 2 if preprocess.size else size
    _, _, channels = stored_shape(model, variables, (size[0], size[1], channels))
    size = [preprocess.shorter_side] * 2 if preprocess.shorter_side else size
    shape = (size[0], size[1], channels)
    logits_fn = zoo.logits_fn(model, variables, preprocess)
    keep_proportions = preprocess.shorter_side is not None
    return Classifier(
        name, classes, shape, keep_proportions, lambda: lambda images: logits_fn(preprocess.resize(images))
    )


def _probabilities(classifier: Classifier, read: pictures.Pictures, batch_size: int) -> Iterator[np.ndarray]:
    """(K,) probabilities of each picture."""
    logits_fn = classifier.load()

    @jax.jit
    def predict(images):
        return jax.nn.softmax(logits_fn(images).astype(jnp.float32))

    for images in chunks(read.images, batch_size):
        filled = np.resize(images, (batch_size, *images.shape[1:]))  # one shape is compiled once
        yield from np.asarray(predict(filled))[: len(images)]

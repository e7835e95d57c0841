"""`python -m analysis COMMAND`: a page about a trained model, pictures of its inside, or an experiment.

report RUN                  one self-contained HTML page about a trained model
attribute RUN               maps of the pixels that a class depends on
maximize RUN                images that excite channels or classes most, by gradient ascent
invert RUN                  images rebuilt from the activations of layers
top-images RUN              the images of the data set that excite channels most
robustness RUN              accuracy under a suite of attacks, with a table, a picture and warnings
experiment NAME --out DIR   a claim, measured on networks that are trained for it; `experiment list` lists all
watermark --out DIR         the watermark experiment with another model, length or seed

Instead of RUN: --model resnet50 [--weights FILE] --image cat.jpg
"""

import dataclasses
import functools
import shlex
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convzoo import PACKAGES, commands, packages, programs

packages.prefer(PACKAGES)  # before a file of the current folder that is called train.py or zoo.py

import train
import zoo
from analysis import report
from analysis.commands import attribute, experiment, invert, maximize, robustness, top_images
from analysis.commands import report as page
from analysis.commands.joined import Joined, Opened
from analysis.commands.source import Source
from analysis.network import Network
from analysis.report.markup import percent
from analysis.understanding import Lab
from convzoo.plots import title
from train import datasets
from train.datasets import decoding
from train.datasets.folder import FILE
from train.tasks.classification import per_class
from zoo import imagenet
from zoo.variables import stored_shape
from zoo.weights.saved import is_native

COMMANDS = (
    *(
        (module.add, module.answer)
        for module in (page, attribute, maximize, invert, top_images, robustness, experiment)
    ),
    (experiment.add_watermark, experiment.answer_watermark),
)


def main(arguments: list[str] | None = None) -> int:
    """Answer one command; 2 for a request that cannot be answered."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = commands.Parser(prog="python -m analysis", description="Explain, examine and attack a trained model.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for add, answer in COMMANDS:
        add(subparsers).set_defaults(answer=answer)
    options = parser.parse_args(arguments)
    joined = Joined(of_run, of_weights, subject, lab)
    line = shlex.join(["python", "-m", "analysis", *arguments])
    try:
        return commands.answer(lambda: print(*options.answer(joined, options, line), sep="\n"))
    except train.Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal


def of_run(path: Path) -> Opened:
    """A run's model, the function that resizes pictures for it, and its test images on request."""
    run = _load(path)
    source = Source(
        title=title(run.config.model, run.config.dataset_name),
        network=Network(run.model, run.variables, run.preprocess),
        image_shape=run.image_shape,
        folder=path / "analysis",
        images=np.zeros((0, *run.image_shape), np.float32),
        names=(),
        classes=run.classes,
    )

    def tested() -> Source:
        test = run.dataset.test
        names = _files(test) or [f"no. {number}" for number in range(len(test))]
        return dataclasses.replace(source, images=test.images, names=names, labels=test.labels)

    return Opened(source, functools.partial(_resize, run), tested)


def _resize(run: train.Run, images: np.ndarray) -> np.ndarray:
    """Pictures at the size of a run's data set, squeezed or cropped as it was."""
    size, keep_proportions = run.image_shape[0], run.config.keep_proportions
    return np.stack([decoding.resize(image, size, keep_proportions) for image in images])


def _load(path: Path) -> train.Run:
    """A run of classification, whose outputs are logits of classes."""
    run = train.load(path)
    if run.config.task != "classification":
        raise ValueError(f"{path} is a run of task={run.config.task!r}: expected one of task='classification'")
    return run


def _files(split: datasets.Split) -> list[str] | None:
    """The names of the files that images come from; None: they come from none."""
    return split.extra[FILE].tolist() if FILE in split.extra else None


def of_weights(name: str, weights: str | None, which: Literal["raw", "ema"] | None = None) -> Opened:
    """A catalogued model with weights from a file or published ones, and the function that resizes pictures for it."""
    shape = zoo.card(name).input_shape
    if weights and is_native(weights):
        model, variables, preprocess = zoo.load(weights)
        if type(model) is not type(zoo.create(name)):
            raise ValueError(f"{weights} holds a model of class {type(model).__name__}, not {name}")
        shape = stored_shape(model, variables, shape)
    else:
        model, variables, preprocess = zoo.load_pretrained(
            name, weights, num_classes="file" if weights and zoo.create(name).num_classes else None, which=which
        )
    shape = shape if preprocess.size is None else (preprocess.size, preprocess.size, shape[2])
    if getattr(model, "num_classes", None) == 1:
        commands.say(f"{weights}: the one logit is read as two classes, 0 and 1, with the probability of its sigmoid")
        model, variables = zoo.surgery.with_two_classes(model, variables, shape)
    network, no_images = Network(model, variables, preprocess), np.zeros((0, *shape), np.float32)
    classes = zoo.class_names(model)
    synonyms = imagenet.numbers() if classes else {}
    source = Source(name, network, shape, Path(), no_images, (), classes=classes or None, synonyms=synonyms)
    return Opened(source, preprocess.resize, lambda: source)


def subject(path: Path, command: str) -> report.Subject:
    """The subject of a report, from the run directory and the model's card."""
    run = _load(path)
    config, data = run.config, run.dataset
    height, width, channels = data.image_shape
    card = zoo.card(run.model, data.image_shape)
    facts = {
        **{"model": config.model, "data set": config.dataset_name},
        "images": f"{len(data.train):,} train, {len(data.test):,} test",
        "input": f"{height} × {width} × {channels}",
        **{"parameters": f"{card.parameters:,}", "MACs": f"{card.macs:,}"},
        "test accuracy": percent(run.metrics[-1]["test"]["accuracy"], len(data.test)) if run.metrics else "–",
        "epochs": f"{len(run.metrics)} of {config.epochs}",
        "optimizer": f"{config.optimizer}, rate {config.learning_rate:g}, {config.schedule}",
        "batch": f"{config.batch_size} images",
        "augmentation": ", ".join(config.augment) or "none",
        "seed": str(config.seed),
    }
    network = Network(run.model, run.variables, run.preprocess)
    return report.Subject(
        title=title(config.model, config.dataset_name),
        classes=run.classes,
        images=data.test.images,
        labels=data.test.labels,
        logits_fn=network.logits_fn,
        network=network,
        facts=facts,
        history=run.metrics,
        per_class=per_class,
        names=_files(data.test),
        counts={"train": len(data.train), "test": len(data.test)},
        command=command,
    )


def lab(folder: Path) -> Lab:
    """A laboratory for experiments, whose runs go into sub-folders: a run that is finished is loaded."""

    def fit(name: str, model: str, dataset: str, *, seed: int, **settings: Any) -> Network:
        out = folder / f"{name}-{seed}"
        train.run(train.Config(model, dataset, seed=seed, out=str(out), **settings))
        run = train.load(out)
        return Network(run.model, run.variables, run.preprocess)

    return Lab(fit, datasets.load)


def start(arguments: list[str] | None = None) -> int:
    """Run the command line in a process of its own, which keeps its memory and its compiled programs."""
    zoo.keep_memory()
    programs.keep()
    return main(arguments)


if __name__ == "__main__":
    sys.exit(start())

"""`python -m analysis COMMAND`: a page about a trained model, pictures of its inside, or an experiment.

report RUN         one self-contained HTML page about a trained model
attribute RUN      maps of the pixels that a class hangs on
maximize RUN       images that channels or classes like best
invert RUN         images rebuilt from what each layer has kept of them
top-images RUN     the images that excite channels most
watermark --out D  nets that learned from a betraying mark against honest ones, told apart by their maps

Instead of RUN: --model resnet50 [--weights FILE] --image cat.jpg
"""

import argparse
import dataclasses
import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import train
import zoo
from analysis import checks, execution, report
from analysis.commands import attribute, invert, maximize, options, pictures, top_images
from analysis.commands.source import Source
from analysis.network import Network
from analysis.understanding import watermark, watermark_page
from train.datasets import Split, scenes
from train.tasks.classification import per_class
from zoo.weights.saved import is_native

SCENE = 32
"""Side of the watermark experiment's images in pixels."""


def main(arguments: list[str] | None = None) -> int:
    """Answer one command; 2 for a request that cannot be answered."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = options.Parser(prog="python -m analysis", description="What a trained model does, and why.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for add in (add_report, add_pictures, add_watermark):
        add(subparsers)
    given = parser.parse_args(arguments)
    try:
        written = given.answer(given, shlex.join(["python", "-m", "analysis", *arguments]))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except train.Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    print(*written if isinstance(written, list) else [written], sep="\n")
    return 0


def add_report(commands: Any) -> None:
    """`report RUN`."""
    page = commands.add_parser("report", help="one HTML page: metrics, mistakes, maps, robustness")
    page.add_argument("run", type=Path, help="a run directory of `python -m train`")
    page.add_argument("--out", type=Path, help="the file to write (default: RUN/report/index.html)")
    default = report.Settings()
    page.add_argument("--attacked", type=int, default=default.attacked, help="images attacked (default: %(default)s)")
    page.add_argument("--steps", type=int, default=default.steps, help="steps of PGD (default: %(default)s)")
    page.add_argument("--seed", type=int, default=default.seed, help="of PGD's random starts (default: %(default)s)")
    page.set_defaults(answer=write_report)


def write_report(given: argparse.Namespace, command: str) -> Path:
    """Examine a run and write its page."""
    settings = report.Settings(attacked=given.attacked, steps=given.steps, seed=given.seed)
    return report.write(
        subject(train.load(given.run), command), given.out or given.run / "report" / "index.html", settings
    )


def subject(run: train.Run, command: str) -> report.Subject:
    """What a report says of a run, from the run directory and the model's card."""
    config, data = run.config, run.dataset
    height, width, channels = data.image_shape
    card = zoo.card(run.model, data.image_shape)
    facts = {
        "model": config.model,
        "data set": config.dataset_name,
        "images": f"{len(data.train):,} train, {len(data.test):,} test",
        "input": f"{height} × {width} × {channels}",
        "parameters": f"{card.parameters:,}",
        "MACs": f"{card.macs:,}",
        "test accuracy": f"{100 * run.metrics[-1]['test']['accuracy']:.2f} %" if run.metrics else "–",
        "epochs": f"{len(run.metrics)} of {config.epochs}",
        "optimizer": f"{config.optimizer}, rate {config.learning_rate:g}, {config.schedule}",
        "batch": f"{config.batch_size} images",
        "augmentation": ", ".join(config.augment) or "none",
        "seed": str(config.seed),
    }
    return report.Subject(
        title=f"{config.model} on {config.dataset_name}",
        classes=run.classes,
        images=data.test.images,
        labels=data.test.labels,
        logits_fn=zoo.logits_fn(run.model, run.variables, run.preprocess),
        network=Network(run.model, run.variables, run.preprocess),
        facts=facts,
        history=run.metrics,
        per_class=per_class,
        command=command,
    )


def add_pictures(commands: Any) -> None:
    """`attribute`, `maximize`, `invert` and `top-images`, each of a run or of a file of weights."""
    for command in (attribute, maximize, invert, top_images):
        page = command.add(commands)
        page.set_defaults(answer=functools.partial(_draw, command.answer))


def _draw(answer: Callable[[Source, argparse.Namespace], list[Path]], given: argparse.Namespace, _: str) -> list[Path]:
    return answer(source(given), given)


def source(given: argparse.Namespace) -> Source:
    """The model and the images that a command is about.

    Raises:
      ValueError: neither a run nor a model, or both; what is there but cannot be read.
    """
    if (given.run is None) == (given.model is None):
        raise ValueError("give either RUN, a run directory of `python -m train`, or --model NAME")
    if given.weights and given.model is None:
        raise ValueError("--weights are those of --model NAME: a run has its own")
    found, resize = of_run(given.run) if given.model is None else of_weights(given.model, given.weights)
    shown = getattr(given, "image", None)
    if shown:
        images = pictures.read(shown, found.image_shape, resize)
        return dataclasses.replace(found, images=images, names=[path.name for path in shown], labels=None)
    if not len(found.images) and hasattr(given, "image"):
        raise ValueError(f"{given.model} comes without images: give --image FILE")
    return found


def of_run(path: Path) -> tuple[Source, Callable]:
    """A run's model with its test images, and how a picture is brought to their size."""
    run = train.load(path)
    data = run.dataset
    found = Source(
        title=f"{run.config.model} on {run.config.dataset_name}",
        network=Network(run.model, run.variables, run.preprocess),
        image_shape=data.image_shape,
        folder=path / "analysis",
        images=data.test.images,
        names=[f"no. {number}" for number in range(len(data.test))],
        labels=data.test.labels,
        classes=run.classes,
    )
    return found, run.preprocess.resize


def of_weights(name: str, weights: str | None) -> tuple[Source, Callable]:
    """A catalogued model with weights from a file or from where they are published, and what resizes for it."""
    shape = zoo.card(name).input_shape
    if weights and is_native(weights):
        model, variables, preprocess = zoo.load(weights)
        if type(model) is not type(zoo.create(name)):
            raise ValueError(f"{weights} holds a model of class {type(model).__name__}, not {name}")
        shape = stored_shape(model, variables, shape)
    else:
        model, variables, preprocess = zoo.load_pretrained(name, weights)
    shape = shape if preprocess.size is None else (preprocess.size, preprocess.size, shape[2])
    found = Source(
        title=name,
        network=Network(model, variables, preprocess),
        image_shape=shape,
        folder=Path(),
        images=np.zeros((0, *shape), np.float32),
        names=(),
    )
    return found, preprocess.resize


def stored_shape(model: Any, variables: Any, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The catalogued shape, or with one or three channels where the stored weights take those."""
    given = [leaf.shape for leaf in jax.tree.leaves(variables)]
    for channels in (shape[2], 1, 3):
        wanted = (*shape[:2], channels)
        image = jax.ShapeDtypeStruct((1, *wanted), np.float32)
        if [leaf.shape for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0), image))] == given:
            return wanted
    return shape


def add_watermark(commands: Any) -> None:
    """`watermark --out DIR`."""
    page = commands.add_parser("watermark", help="train nets with and without a betraying mark, and tell them apart")
    page.add_argument("--out", type=Path, required=True, help="the nets' run directories and the page go there")
    page.add_argument("--model", default="gap_net", help="with global average pooling (default: %(default)s)")
    page.add_argument("--epochs", type=int, default=4, help="of training each net (default: %(default)s)")
    page.add_argument("--images", type=int, default=30, help="test images examined (default: %(default)s)")
    page.add_argument("--seed", type=int, default=0, help="of the nets, methods and attacks (default: %(default)s)")
    page.add_argument("--markdown", type=Path, help="the file to write (default: OUT/watermark.md)")
    page.set_defaults(answer=write_watermark)


def write_watermark(given: argparse.Namespace, command: str) -> Path:
    """Train nets on marked, plain and falsely marked scenes, and examine them on the same images."""
    checks.positive("images", given.images)
    marks: dict[str, scenes.Watermark] = {"watermarked": "class", "honest": "none", "remedied": "shuffled"}
    tests: dict[str, Split] = {mark: scenes.load(SCENE, count=1, watermark=mark).test for mark in marks.values()}
    subjects = {name: trained(given, name, mark, tests) for name, mark in marks.items()}
    plain, marked, shuffled = (tests[mark] for mark in ("none", "class", "shuffled"))
    chosen = np.flatnonzero(marked.extra["mask"].any((1, 2)))[: given.images]
    found = watermark.study(
        subjects,
        marked.images[chosen],
        marked.labels[chosen],
        marked.extra["mask"][chosen],
        (marked.images != plain.images).any((0, 3)),
        jax.random.key(given.seed),
        {"mark shuffled": shuffled.images[chosen]},
    )
    return watermark_page.write(found, marked.images[chosen], given.markdown or given.out / "watermark.md", command)


def trained(given: argparse.Namespace, name: str, mark: str, tests: dict[str, Split]) -> watermark.Subject:
    """A net trained on scenes with one kind of mark, and its accuracy with each kind."""
    dataset = "scenes" if mark == "none" else f"scenes:{mark}"
    # Shifted images would cut the mark off.
    config = train.Config(
        given.model, dataset, given.epochs, augment=(), size=SCENE, seed=given.seed, out=str(given.out / name)
    )
    train.run(config)
    run = train.load(given.out / name)
    logits_fn = zoo.logits_fn(run.model, run.variables, run.preprocess)
    accuracy = {}
    for kind, test in tests.items():
        logits = execution.in_batches(lambda images: execution.call(logits_fn, images), 100, test.images)
        accuracy[f"mark {kind}"] = float(np.mean(logits.argmax(1) == test.labels))
    return watermark.Subject(run.model, run.variables, run.preprocess, accuracy)


if __name__ == "__main__":
    zoo.keep_memory()
    sys.exit(main())

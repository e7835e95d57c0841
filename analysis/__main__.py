"""`python -m analysis COMMAND`: a page about a trained model, or about an experiment.

report RUN         one self-contained HTML page about a trained model
watermark --out D  nets that learned from a betraying mark against honest ones, told apart by their maps
"""

import argparse
import functools
import shlex
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import analysis
import train
import zoo
from analysis import checks, drive, report
from analysis.attribution.grad_cam import spatial_layer
from analysis.understanding import watermark, watermark_page
from train import metrics
from train.datasets import Split, scenes

SCENE = 32
"""Side of the watermark experiment's images in pixels."""


def main(arguments: list[str] | None = None) -> int:
    """Answer one command; 2 for a request that cannot be answered."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m analysis", description="What a trained model does, and why.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for add in (add_report, add_watermark):
        add(commands)
    given = parser.parse_args(arguments)
    try:
        path = given.answer(given, shlex.join(["python", "-m", "analysis", *arguments]))
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except train.Interrupted as stop:
        print(stop, file=sys.stderr)
        return 128 + stop.signal
    print(path)
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
    try:
        spatial_layer(run.model, run.variables, data.test.images[:1])
        grad_cam = functools.partial(analysis.grad_cam, run.model, run.variables, preprocess=run.preprocess)
    except ValueError:
        grad_cam = None  # A fully-connected network has no such map.
    facts = {
        "model": config.model,
        "data set": config.dataset,
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
        title=f"{config.model} on {config.dataset}",
        classes=run.classes,
        images=data.test.images,
        labels=data.test.labels,
        logits_fn=zoo.logits_fn(run.model, run.variables, run.preprocess),
        grad_cam=grad_cam,
        facts=facts,
        history=run.metrics,
        per_class=metrics.per_class,
        command=command,
    )


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
    tests = {mark: scenes.load(SCENE, count=1, watermark=mark).test for mark in marks.values()}
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
        logits = drive.in_batches(lambda images: drive.call(logits_fn, images), 100, test.images)
        accuracy[f"mark {kind}"] = float(np.mean(logits.argmax(1) == test.labels))
    return watermark.Subject(run.model, run.variables, run.preprocess, accuracy)


if __name__ == "__main__":
    sys.exit(main())

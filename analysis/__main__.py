"""`python -m analysis report RUN`: one self-contained HTML page about a trained model."""

import argparse
import functools
import shlex
import sys
from pathlib import Path

import analysis
import train
import zoo
from analysis import report
from analysis.attribution.grad_cam import spatial_layer
from train import metrics


def main(arguments: list[str] | None = None) -> int:
    """Answer one command; 2 for a request that cannot be answered."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m analysis", description="What a trained model does, and why.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="report")
    page = commands.add_parser("report", help="one HTML page: metrics, mistakes, maps, robustness")
    page.add_argument("run", type=Path, help="a run directory of `python -m train`")
    page.add_argument("--out", type=Path, help="the file to write (default: RUN/report/index.html)")
    default = report.Settings()
    page.add_argument("--attacked", type=int, default=default.attacked, help="images attacked (default: %(default)s)")
    page.add_argument("--steps", type=int, default=default.steps, help="steps of PGD (default: %(default)s)")
    page.add_argument("--seed", type=int, default=default.seed, help="of PGD's random starts (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        settings = report.Settings(attacked=given.attacked, steps=given.steps, seed=given.seed)
        about = subject(train.load(given.run), shlex.join(["python", "-m", "analysis", *arguments]))
        path = report.write(about, given.out or given.run / "report" / "index.html", settings)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(path)
    return 0


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


if __name__ == "__main__":
    sys.exit(main())

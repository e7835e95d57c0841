"""The position experiment: coordinates as channels against a mean over space that forgets the place.

result = EXPERIMENT.run(lab, seeds=(0, 1, 2))
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis import draw, execution
from analysis.network import Network
from analysis.understanding.experiment import Claim, Experiment, Lab, Result, Table, verdict

SIDE = 32
"""Height and width of the scenes in pixels."""

NETWORKS: dict[str, dict[str, Any]] = {
    "coordinates": {"model": "coordinate_regressor"},
    "mean over space": {"model": "coordinate_regressor", "fields": {"coordinates": False}},
    "flattened": {
        "model": "blueprint_cnn",
        "fields": {"widths": (32, 64, 64), "convs": 1, "dense": (64,), "dropout": 0.0, "norm": "BatchNorm"},
    },
}
"""Model and fields of each network."""

CENTRE = "the mean centre"
"""The guess without a network: the mean of the training centres for every image."""

CLAIM = """A network that averages over space cannot tell where an object is; with row and column appended to its input
as channels it can."""

PROTOCOL = """All networks regress the centre of the object in the procedural scenes, by squared errors in fractions of
the side. **coordinates**: row and column as further channels of the image, unpadded convolutions, the mean over space,
two dense layers. **mean over space**: the same without coordinates. Nothing pads its convolutions, but its windows end
with the image: they are 15 pixels wide, 8 pixels apart and 3 on a side, so that an object near the left border lies in
the left half of one window and in no other, and the mean still tells. **flattened**: padded convolutions with pooling,
the last maps flattened into dense layers, which know every place by its weights. The guess of the mean centre of the
training images needs no network."""

CAPTION = """Share of the test images whose error is below a distance in pixels, first seed."""


def experiment(epochs: int = 4, **settings: Any) -> Experiment:
    """The experiment with a length of training.

    Args:
      epochs: of each network.
      **settings: further ones of the training.
    """
    settings = {"epochs": epochs, "optimizer": "adamw"} | settings
    run = functools.partial(_run, settings)
    return Experiment("position", "Position from a mean over space", CLAIM, PROTOCOL, run)


def _run(settings: dict[str, Any], lab: Lab, seeds: Sequence[int]) -> Result:
    data = lab.load("scenes", SIDE)
    truth = data.test.extra["centre"]
    errors = {CENTRE: {seed: _pixels(data.train.extra["centre"].mean(0) - truth) for seed in seeds}}
    for name, network in NETWORKS.items():
        shared: dict[str, Any] = {"size": SIDE, "task": "position", "augment": ()}
        options = shared | {"fields": network.get("fields", {})} | {**settings}
        errors[name] = {}
        for seed in seeds:
            lab.log(f"{name}, seed {seed}")
            trained = lab.fit(name.replace(" ", "-"), network["model"], "scenes", seed=seed, **options)
            errors[name][seed] = _pixels(_outputs(trained, data.test.images) - truth)
    return result(errors)


def result(errors: Mapping[str, Mapping[int, np.ndarray]]) -> Result:
    """Claims, table and picture.

    Args:
      errors: by network and seed, the (N,) distances in pixels; with those of `CENTRE`.
    """
    means = {name: np.array([one.mean() for one in each.values()]) for name, each in errors.items()}
    seeds = tuple(errors[CENTRE])
    distances = np.linspace(0, 12, 61)
    shares = {
        name: np.array([(each[seeds[0]] <= distance).mean() for distance in distances]) for name, each in errors.items()
    }
    rows = [
        (
            name,
            f"{np.mean([one.mean() for one in each.values()]):.2f}",
            f"{np.mean([np.median(one) for one in each.values()]):.2f}",
            ", ".join(f"{one.mean():.2f}" for one in each.values()),
        )
        for name, each in errors.items()
    ]
    caption = f"Errors in pixels, of images of {SIDE}×{SIDE}: means over the seeds. Lower is better."
    return Result(
        seeds=seeds,
        claims=_claims(means),
        table=Table(("network", "mean error", "median error", "mean error by seed"), tuple(rows), caption),
        picture=draw.png(draw.curves(shares, distances, "distance (pixels)", "share of images below", size=(5, 3.2))),
        caption=CAPTION,
    )


def _claims(means: Mapping[str, np.ndarray]) -> tuple[Claim, ...]:
    with_them, without, guess = means["coordinates"], means["mean over space"], means[CENTRE]
    flattened = means["flattened"]
    return (
        Claim(
            "A network that averages over space cannot tell where an object is.",
            f"Its mean error is {without.mean():.2f} pixels; guessing the mean centre errs by {guess.mean():.2f}. "
            "Counted as held where the error is at least nine tenths of that.",
            verdict(without >= 0.9 * guess),
        ),
        Claim(
            "With coordinates as channels it can.",
            f"Its mean error falls to {with_them.mean():.2f} pixels. Counted as held where it is below that without "
            "coordinates and below half of the guess's.",
            verdict((with_them < without) & (with_them < guess / 2)),
        ),
        Claim(
            "Coordinates locate as well as dense layers on flattened maps.",
            f"The mean error of the flattened network is {flattened.mean():.2f} pixels. Counted as held where "
            "coordinates err by at most a tenth more.",
            verdict(with_them <= 1.1 * flattened),
        ),
    )


def _outputs(network: Network, images: np.ndarray) -> np.ndarray:
    return np.asarray(execution.in_batches(functools.partial(execution.call, network.logits_fn), 100, images))


def _pixels(differences: np.ndarray) -> np.ndarray:
    return np.hypot(*(differences * SIDE).T)


EXPERIMENT = experiment()

"""What maximised and inverted images are worth, on trained networks: `python -m tests.studies.seeing_inside`.

Trains ResNet-20 on the procedural scenes, once a seed, and prints per seed: error and detail of inversions by depth;
how many maximised images excite their unit more than every training and test image; and the total variation of the
Fourier form over that of the pixel form at equal activation.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import train
from analysis import draw
from analysis.visualize import evidence
from analysis.visualize.optimal import SETTINGS, maximize
from analysis.visualize.prior import DenoisingPrior, learn_denoiser
from analysis.visualize.regularizers import AlphaNorm

LAYERS = ("stem", "stage1", "stage2", "stage3", "head")


class Study(NamedTuple):
    """Figures of one network."""

    accuracy: float
    depth: dict[str, dict[str, float]]
    prior: dict[str, dict[str, float]]
    classes: evidence.Beyond
    channels: evidence.Beyond
    variation: evidence.Variation


def trained(out: Path, seed: int, epochs: int) -> train.Run:
    train.run(train.Config("resnet20", dataset="scenes", size=32, epochs=epochs, seed=seed, out=str(out)), quiet=True)
    return train.load(out)


def study(run: train.Run, images: int, steps: int, channels: int) -> Study:
    data, key = run.dataset, jax.random.key(run.config.seed)
    about: dict[str, Any] = {"model": run.model, "variables": run.variables, "preprocess": run.preprocess, "key": key}
    everything = np.concatenate([data.train.images, data.test.images])
    some = data.test.images[:images]
    denoise = learn_denoiser(data.train.images, key, steps=300)
    learned = {"regularizers": (DenoisingPrior(30.0, denoise), AlphaNorm(1e-3))}
    return Study(
        run.metrics[-1]["test"]["accuracy"],
        _means(evidence.inversion_by_depth(images=some, layers=LAYERS, steps=steps, **about)),
        _means(evidence.inversion_by_depth(images=some, layers=LAYERS, steps=steps, **learned, **about)),
        evidence.beyond_data(images=everything, layer=None, channels=range(len(run.classes)), steps=steps, **about),
        evidence.beyond_data(images=everything, layer="stage3", channels=range(channels), steps=steps, **about),
        evidence.variation_at_equal_activation(shape=data.image_shape, layer="stage3", channels=range(6), **about),
    )


def _means(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    names = ("feature_error", "pixel_error", "detail")
    return {layer: {name: float(np.mean(getattr(one, name))) for name in names} for layer, one in found.items()}


def report(seed: int, found: Study) -> str:
    lines = [f"seed {seed}: test accuracy {found.accuracy:.3f}"]
    for title, depth in (("total variation", found.depth), ("learned prior", found.prior)):
        lines.append(f"  inversion, {title:<16}" + "".join(f"{layer:>9}" for layer in depth))
        lines += [
            f"    {name:<25}" + "".join(f"{values[name]:9.3f}" for values in depth.values())
            for name in ("feature_error", "pixel_error", "detail")
        ]
    for title, beyond in (("classes", found.classes), ("stage3 channels", found.channels)):
        alive = beyond.data > 0
        above, ratio = (beyond.maximised > beyond.data)[alive], (beyond.maximised / beyond.data)[alive]
        lines.append(
            f"  {title}: {above.sum()} of {alive.sum()} above all data; least ratio {ratio.min():.2f}, median "
            f"{np.median(ratio):.2f}; {beyond.silent[alive].sum()} silent for noise; {(~alive).sum()} dead"
        )
    moved = found.variation.level > 0
    ratio = found.variation.fourier[moved] / found.variation.pixels[moved]
    lines.append(
        f"  total variation, Fourier / pixels: {np.array2string(ratio, precision=2)}, median {np.median(ratio):.2f}"
    )
    return "\n".join(lines)


def pictures(run: train.Run, steps: int) -> bytes:
    """Inversions of six images by depth over maximised classes, robust and plain."""
    key, images = jax.random.key(run.config.seed), run.dataset.test.images[:10]
    about: dict[str, Any] = {"preprocess": run.preprocess, "key": key}
    rows = [images]
    inversions = evidence.inversion_by_depth(run.model, run.variables, images, layers=LAYERS, steps=steps, **about)
    rows += [np.asarray(found.images) for found in inversions.values()]
    for setting in SETTINGS.values():
        given = setting | {"steps": steps}
        found = maximize(run.model, run.variables, images.shape[1:], None, range(len(run.classes)), **about, **given)
        rows.append(np.asarray(found.images))
    return draw.png(draw.grid(np.concatenate(rows), columns=10))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.seeing_inside", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/seeing_inside"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--channels", type=int, default=16)
    given = parser.parse_args()
    for seed in given.seeds:
        run = trained(given.out / str(seed), seed, given.epochs)
        print(report(seed, study(run, given.images, given.steps, given.channels)), flush=True)
        (given.out / f"{seed}.png").write_bytes(pictures(run, given.steps))


if __name__ == "__main__":
    main()

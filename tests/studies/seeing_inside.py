"""What maximised and inverted images are worth on trained networks: `python -m tests.studies.seeing_inside`.

Trains ResNet-20 on the procedural scenes, once a seed, and writes a page of tables: detail of inversions by depth; how
many maximised images excite their unit more than every training and test image; and the total variation of the Fourier
form and of the pixel form at equal activation, by the protocol of `evidence.variation_at_equal_activation`. A seed
whose figures are in the folder already is not computed again.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import train
from analysis import draw
from analysis.features import evidence
from analysis.features.invert import inversion_by_depth
from analysis.features.maximize import SETTINGS, maximize
from analysis.features.prior import DenoisingPrior, learn_denoiser
from analysis.features.regularizers import AlphaNorm
from analysis.features.transforms import robust

LAYERS = ("stem", "stage1", "stage2", "stage3", "head")
PRIORS = ("total variation", "learned denoiser")
UNITS = {"classes": None, "stage3 channels": "stage3"}
VIEWS = ("no transforms", "robust transforms")


class Size(NamedTuple):
    """How much is computed.

    Attributes:
      images: to invert.
      inversion: steps of each inversion.
      steps: of each maximised image.
      channels: of stage3, to maximise.
      compared: of these channels, those on which Fourier and pixels are compared, the first so many.
      climbs: steps of each climb of that comparison.
    """

    images: int = 4
    inversion: int = 100
    steps: int = 256
    channels: int = 8
    compared: int = 6
    climbs: int = 80


def trained(out: Path, seed: int, epochs: int) -> train.Run:
    train.run(train.Config("resnet20", dataset="scenes", size=32, epochs=epochs, seed=seed, out=str(out)), quiet=True)
    return train.load(out)


def study(run: train.Run, size: Size) -> dict[str, Any]:
    """Figures of one network, as they are written to JSON."""
    data, key = run.dataset, jax.random.key(run.config.seed)
    about: dict[str, Any] = {"model": run.model, "variables": run.variables, "preprocess": run.preprocess, "key": key}
    everything = np.concatenate([data.train.images, data.test.images])
    denoise = learn_denoiser(data.train.images, key, steps=300)
    learned: dict[str, Any] = {"regularizers": (DenoisingPrior(30.0, denoise), AlphaNorm(1e-3))}
    inverted: dict[str, Any] = {"images": data.test.images[: size.images], "layers": LAYERS, "steps": size.inversion}
    wanted = {"classes": range(len(run.classes)), "stage3 channels": range(size.channels)}
    return {
        "accuracy": run.metrics[-1]["test"]["accuracy"],
        "inversion": {
            name: _means(inversion_by_depth(**inverted, **given, **about))
            for name, given in zip(PRIORS, ({}, learned), strict=True)
        },
        "maximised": {
            name: _listed(
                evidence.beyond_data(images=everything, layer=layer, channels=wanted[name], steps=size.steps, **about)
            )
            for name, layer in UNITS.items()
        },
        "variation": {
            name: {
                level: _listed(found)
                for level, found in evidence.variation_at_equal_activation(
                    images=everything, layer="stage3", channels=range(size.compared), transforms=transforms,
                    steps=size.climbs, **about,
                ).items()
            }
            for name, transforms in zip(VIEWS, ((), robust(*data.image_shape[:2])), strict=True)
        },
    }  # fmt: skip


def _means(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    names = ("feature_error", "pixel_error", "detail")
    return {layer: {name: float(np.mean(getattr(one, name))) for name in names} for layer, one in found.items()}


def _listed(found: Any) -> dict[str, list]:
    return {name: values.tolist() for name, values in found._asdict().items()}


def above(beyond: dict[str, list]) -> np.ndarray:
    """Activation of each maximised image over that of the best image of the data, of units that data excite."""
    reached, data = np.array(beyond["maximised"]), np.array(beyond["data"])
    return reached[data > 0] / data[data > 0]


def rougher(variation: dict[str, list]) -> np.ndarray:
    """Total variation of Fourier over that of pixels, of units that both bring to a level above zero."""
    level, fourier, pixels = (np.array(variation[name], float) for name in ("level", "fourier", "pixels"))
    moved = (level > 0) & (pixels > 0) & np.isfinite(fourier + pixels)
    return fourier[moved] / pixels[moved]


def markdown(found: dict[int, dict[str, Any]]) -> str:
    """A table for each question, a row for each seed."""
    inversion = [
        (seed, prior, *(f"{one['inversion'][prior][layer]['detail']:.3f}" for layer in LAYERS))
        for seed, one in found.items()
        for prior in PRIORS
    ]
    maximised = [
        (
            seed, name, f"{(ratio > 1).sum()} of {len(ratio)}", f"{ratio.min():.2f}", f"{np.median(ratio):.2f}",
            sum(one["maximised"][name]["silent"]), len(one["maximised"][name]["data"]) - len(ratio),
        )
        for seed, one in found.items()
        for name in UNITS
        for ratio in [above(one["maximised"][name])]
    ]  # fmt: skip
    variation = [
        (
            view, level, f"{(ratio < 1).sum()} of {len(ratio)}", f"{np.median(ratio):.2f}",
            ", ".join(f"{np.median(one):.2f}" for one in each),
        )
        for view in VIEWS
        for level in ("data", "highest")
        for each in [[rougher(one["variation"][view][level]) for one in found.values()]]
        for ratio in [np.concatenate(each)]
    ]  # fmt: skip
    accuracy = ", ".join(f"{one['accuracy']:.1%} (seed {seed})" for seed, one in found.items())
    return "\n\n".join(
        [
            f"Accuracy on test images: {accuracy}.",
            _table("Detail kept (correlation of pixels)", ("seed", "prior", *LAYERS), inversion),
            _table(
                "Maximised images against all images of the data",
                ("seed", "units", "above every image", "least ratio", "median ratio", "started at data", "dead"),
                maximised,
            ),
            _table(
                "Total variation, Fourier over pixels, at equal activation",
                ("climbed with", "level", "Fourier smoother", "median ratio", "by seed"),
                variation,
            ),
        ]
    )


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return f"## {title}\n\n" + "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def pictures(run: train.Run, size: Size) -> bytes:
    """A column each for ten images: its inversions by depth, and its class maximised, robust and plain."""
    key, test = jax.random.key(run.config.seed), run.dataset.test
    images, labels = test.images[:10], test.labels[:10].tolist()
    about: dict[str, Any] = {"preprocess": run.preprocess, "key": key}
    inversions = inversion_by_depth(run.model, run.variables, images, layers=LAYERS, steps=size.inversion, **about)
    rows = {"test image": images} | {f"from {name}": np.asarray(one.images) for name, one in inversions.items()}
    for name, setting in SETTINGS.items():
        settings = setting | {"steps": size.steps}
        made = maximize(run.model, run.variables, images.shape[1:], None, labels, **about, **settings)
        rows[f"class maximised,\n{name}"] = np.asarray(made.images)
    return draw.png(draw.sheet(np.stack([*rows.values()]), [*rows], [run.classes[label] for label in labels]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.studies.seeing_inside", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/seeing_inside"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    for name, value in Size()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--picture", action="store_true", help="only the picture, of the first seed")
    given = vars(parser.parse_args())
    size, out = Size(**{name: given[name] for name in Size._fields}), given["out"]
    figures = {seed: out / f"{seed}.json" for seed in given["seeds"]}
    for seed, path in figures.items():
        if not given["picture"] and not path.exists():
            run = trained(out / str(seed), seed, given["epochs"])
            path.write_text(json.dumps(study(run, size)))
    if not (picture := out / "pictures.png").exists():
        picture.write_bytes(pictures(trained(out / str(min(figures)), min(figures), given["epochs"]), size))
    if not given["picture"]:
        print(markdown({seed: json.loads(path.read_text()) for seed, path in figures.items()}))


if __name__ == "__main__":
    main()

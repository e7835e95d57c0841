"""Attribution maps of one image before and after an attack."""

import dataclasses
import html

import numpy as np

from analysis import draw as colours
from analysis.attacks.evaluation.evaluations import radius_text
from analysis.report.findings import Findings, Log, Predictions
from analysis.report.maps import Maps, maps_of
from analysis.report.markup import picture, plate, verdict
from analysis.report.sections.maps import SHOWN
from analysis.report.sections.robustness.examples import Examples
from analysis.report.settings import Settings
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """Maps of one image and of the same image attacked.

    Attributes:
      index: which test image.
      epsilon: the bound of the attack.
      images: (R, H, W, C) as it is, then attacked.
      probabilities: (R, K) of them.
      targets: (R,) the class that each row of maps explains.
      maps: of each method, (R, H, W).
    """

    index: int
    epsilon: float
    images: np.ndarray
    probabilities: np.ndarray
    targets: np.ndarray
    maps: tuple[Maps, ...]


def measure(
    subject: Subject, settings: Settings, predictions: Predictions, examples: Examples, log: Log
) -> Attribution | None:
    """Explain the first example whose class the bounded attack changes, else the first; None: no method applies."""
    attacked = examples.attacked[0]
    guesses, labels = attacked.probabilities.argmax(1), predictions.labels[examples.indices]
    row = int(np.argmax(guesses != labels))
    index, truth, guess = int(examples.indices[row]), int(labels[row]), int(guesses[row])
    original = np.asarray(subject.images[index], np.float32), predictions.probabilities[index]
    after = attacked.images[row], attacked.probabilities[row]
    cases = [(*original, truth), (*after, truth), *([(*after, guess)] if guess != truth else [])]
    images, probabilities, targets = (np.stack([case[part] for case in cases]) for part in range(3))
    layers = subject.depths(settings.layers)
    log(f"attribution of test image {index} before and after the attack")
    maps = []
    for name in SHOWN:
        try:
            maps.append(_maps(subject, settings, name, images, targets.astype(np.int32), layers))
        except ValueError:  # the explorer says which methods the model refuses, and why
            continue
    return Attribution(index, examples.epsilon, images, probabilities, targets, tuple(maps)) if maps else None


def _maps(
    subject: Subject, settings: Settings, name: str, images: np.ndarray, targets: np.ndarray, layers: tuple[str, ...]
) -> Maps:
    """Maps of so many rows as the explorer has, so that its programs serve again; the first ones are kept."""
    rows = np.arange(max(settings.explored, len(images))) % len(images)
    deepest = layers[-1] if layers and name == "grad_cam" else None
    maps = maps_of(subject, name, images[rows], targets[rows], deepest)
    return dataclasses.replace(maps, values=maps.values[: len(images)])


def draw(subject: Subject, findings: Findings, measured: Attribution) -> str:
    """A row of maps for each image and class, as HTML."""
    truth, strips = int(subject.labels[measured.index]), []
    blends = [
        colours.blend(measured.images, maps.values, colours.limit(maps.values), maps.signed) for maps in measured.maps
    ]
    for row, target in enumerate(measured.targets):
        state, name = "attacked" if row else "as it is", subject.classes[int(target)]
        subtitle = f"test image {measured.index}, {state}"
        below = verdict(subject.classes, measured.probabilities[row], truth)
        plates = [plate(measured.images[row], subtitle, f"{state}; for {html.escape(name)}", below)]
        for maps, blended in zip(measured.maps, blends, strict=True):
            plates.append(plate(blended[row], f"{maps.name} of {subtitle}, for class {name}", maps.name))
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    bars = "".join(maps.bar for maps in measured.maps)
    called = html.escape(subject.name(measured.index))
    return "<h3>Where it looks under attack</h3>" + picture(
        f'<div class="strips fours">{"".join(strips)}</div><div class="bars">{bars}</div>',
        f"Maps of one image ({called}, class {html.escape(subject.classes[truth])}) as it is and attacked by PGD at "
        f"ε = {radius_text(measured.epsilon)}, for the logit of the class that is written above; below the image the "
        f"prediction. Each method has one scale for the {len(strips)} rows, full at the 99.5th percentile of the "
        "magnitudes.",
    )

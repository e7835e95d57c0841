"""Explorer of a report: pick an image, a method and a layer.

Nothing runs in the page: the three choices are radio buttons, and style rules show what belongs to those that are
checked. So it works from a file and under any security policy, with the keyboard as with the mouse, and what was
chosen is printed.
"""

import base64
import dataclasses
import html
import io

import jax
import numpy as np
from PIL import Image

from analysis import draw as colours
from analysis.attribution.methods import METHODS
from analysis.report.findings import Findings, Log, Predictions, Section, first_of_each_class
from analysis.report.maps import Maps, maps_of
from analysis.report.markup import MOST_PIXELS, image, percent, picture, reduced
from analysis.report.settings import Settings
from analysis.report.subject import Subject

NEEDS = {
    "cam": "a global average and one linear layer between the last maps and the logits",
    **dict.fromkeys(("guided_backprop", "deconvnet", "guided_grad_cam"), "ReLU as its only activation function"),
}
"""What a network must have for a method to be defined on it."""
LISTED = 3
"""Predicted classes listed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Explorer:
    """Many methods' maps of the same images, to flip through.

    Attributes:
      indices: (M,) test images: the first of each class, then some of the hardest of the others.
      targets: (M,) the class that the maps explain: the predicted one.
      layers: paths that methods looked into, the shallowest first.
      maps: by method, then by layer.
      left_out: methods that the model refuses, and why.
    """

    indices: np.ndarray
    targets: np.ndarray
    layers: tuple[str, ...]
    maps: tuple[Maps, ...]
    left_out: dict[str, str]


def measure(subject: Subject, settings: Settings, predictions: Predictions, log: Log) -> Explorer:
    """The maps of every method that the subject allows, for the predicted class, from several layers."""
    labels = predictions.labels
    hard = settings.explored // 6
    first = first_of_each_class(labels, np.arange(len(labels)), max(settings.explored - hard, settings.explained))
    others = predictions.hardest[~np.isin(predictions.hardest, first)]
    indices = np.concatenate([first, others[:hard]])
    images, targets = subject.images[indices], predictions.classes[indices].astype(np.int32)
    layers, key = subject.depths(settings.layers), jax.random.key(settings.seed)
    maps: list[Maps] = []
    left_out: dict[str, str] = {}
    for name, method in METHODS.items():
        if method.of_model and subject.network is None:
            continue
        log(f"{method.label} of {len(indices)} images" + (f", {len(layers)} layers" if method.of_layer else ""))
        try:
            maps.extend(
                maps_of(subject, name, images, targets, layer, key) for layer in (layers if method.of_layer else [None])
            )
        except ValueError as error:
            log(f"left out {method.label}: {error}")
            left_out[method.label] = f"it needs {NEEDS[name]}" if name in NEEDS else str(error)
    return Explorer(indices, targets, layers, tuple(maps), left_out)


def draw(subject: Subject, findings: Findings) -> str:
    """The explorer as HTML; empty where no method applies."""
    explorer: Explorer = findings.sections["explorer"]
    if not explorer.maps:
        return ""
    images = reduced(np.asarray(subject.images[explorer.indices], np.float32))
    answers = [_answer(subject, findings, row, index) for row, index in enumerate(explorer.indices)]
    bars, overlays = [], []
    for maps, state in zip(explorer.maps, _states(explorer), strict=True):
        bar, overlay = _map(maps, state)
        bars.append(bar)
        overlays.append(overlay)
    smaller = "" if max(subject.images.shape[1:3]) <= MOST_PIXELS else f" Reduced to {MOST_PIXELS} pixels."
    reasons: dict[str, list[str]] = {}
    for name, why in explorer.left_out.items():
        reasons.setdefault(why, []).append(name)
    refused = "".join(f" No {', '.join(names)}: {html.escape(why)}." for why, names in reasons.items())
    size = f"--many:{len(images)};--ratio:{images.shape[2]}/{images.shape[1]}"
    choices = _choices(subject, explorer, images)
    content = (
        f'<div class="explorer" style="{size}">{choices["thumbs"]}{choices["methods"]}'
        f'<div class="seen"><div class="frame">{_sprite(colours.rgb(images), "the images")}</div>'
        f'<div class="frame">{_sprite(colours.ground(images), "the images in grey")}{"".join(overlays)}</div>'
        f'<div class="beside"><div class="said" role="status">{"".join(answers)}{"".join(bars)}</div>'
        f"{choices.get('layers', '')}</div></div></div>"
    )
    return (
        "<section id=explorer><h2>Look for yourself</h2>"
        + picture(
            content,
            "Pick an image, a method and a layer, with the mouse or with the arrow keys: the image, and over it in "
            "grey the map for the class that was predicted. Each method and layer has one scale for all images, full "
            f"at the 99.5th percentile of the magnitudes.{smaller}{refused}",
        )
        + "</section>"
    )


def rules(subject: Subject, findings: Findings) -> str:
    """The style rules that show what belongs to the buttons that are checked."""
    explorer: Explorer = findings.sections["explorer"]
    shown = [f".explorer:has(#image-{row}:checked){{--at:{row}}}" for row in range(len(explorer.indices))]
    shown += [
        f".explorer:has(#image-{row}:checked) .of-image-{row}{{display:block}}" for row in range(len(explorer.indices))
    ]
    for state in _states(explorer):
        checked = "".join(f":has(#{part}:checked)" for part in state.split("."))
        shown.append(f".explorer{checked} .of-{state.replace('.', '-')}{{display:block}}")
    return "@supports selector(:has(*)){.explorer .first{display:none}" + "".join(shown) + "}\n"


def _states(explorer: Explorer) -> list[str]:
    """For each of the maps, the buttons that show it, joined by a dot."""
    names = list(dict.fromkeys(maps.name for maps in explorer.maps))
    return [
        f"method-{names.index(maps.name)}" + (f".layer-{explorer.layers.index(maps.layer)}" if maps.layer else "")
        for maps in explorer.maps
    ]


def _choices(subject: Subject, explorer: Explorer, images: np.ndarray) -> dict[str, str]:
    """The groups of buttons, by kind."""
    thumbs = [
        f'<label><input type="radio" name="image" id="image-{row}"{" checked" if not row else ""}>'
        f"{image(images[row], f'test image {index}, class {subject.classes[int(subject.labels[index])]}')}"
        f"<span>{index}</span></label>"
        for row, index in enumerate(explorer.indices)
    ]
    layered = {maps.name: bool(maps.layer) for maps in explorer.maps}
    methods = [
        f'<label><input type="radio" name="method" id="method-{number}"{"" if deep else " class=plain"}'
        f"{' checked' if not number else ''}><span>{name}</span></label>"
        for number, (name, deep) in enumerate(layered.items())
    ]
    last = len(explorer.layers) - 1
    layers = [
        f'<label><input type="radio" name="layer" id="layer-{number}"{" checked" if number == last else ""}>'
        f"<span>{html.escape(layer)}</span></label>"
        for number, layer in enumerate(explorer.layers)
    ]
    groups = {"thumbs": ("Test image", thumbs), "methods": ("Method", methods), "layers": ("Layer", layers)}
    return {
        kind: f'<fieldset class="{kind}"><legend>{legend}</legend>{"".join(labels)}</fieldset>'
        for kind, (legend, labels) in groups.items()
        if kind != "layers" or any(layered.values())
    }


def _answer(subject: Subject, findings: Findings, row: int, index: int) -> str:
    """What the model says of an image."""
    truth, shares = int(subject.labels[index]), findings.predictions.probabilities[index]
    lines = []
    for place, guess in enumerate(np.argsort(-shares, kind="stable")[:LISTED]):
        verdict = "wrong" if place == 0 and guess != truth else "right"
        name = html.escape(subject.classes[int(guess)])
        bar = f'<i style="width:{100 * shares[guess]:.1f}%"></i>'
        lines.append(f"<li><span class={verdict}>{name}</span><span>{percent(shares[guess])}</span>{bar}</li>")
    first = "" if row else " first"
    called = str(index) if subject.names is None else subject.name(index)
    return (
        f'<div class="words of-image-{row}{first}"><p>Test image {html.escape(called)}, class '
        f"{html.escape(subject.classes[truth])}. Predicted:</p><ol>{''.join(lines)}</ol></div>"
    )


def _map(maps: Maps, state: str) -> tuple[str, str]:
    """The colour bar of maps with its words, and the maps to be laid over the images."""
    kind = f"of-{state.replace('.', '-')}" + (" first" if state == "method-0" else "")
    words = f'<div class="words bars {kind}">{maps.bar}<p>{maps.sentence}</p></div>'
    values = reduced(np.asarray(maps.values, np.float32)[..., np.newaxis])[..., 0]
    levels = np.clip(values / colours.limit(maps.values), -1, 1)
    return words, _data(_coloured(levels, maps.signed), f"{html.escape(maps.title)} of the images", f"sprite {kind}")


def _coloured(shares: np.ndarray, signed: bool) -> Image.Image:
    """(N, H, W) shares of the saturation side by side, as a picture of 256 colours with their opacities."""
    steps = np.linspace(-1 if signed else 0, 1, 256)
    colour, alpha = colours.tint(steps, signed)
    numbers = np.rint((shares + 1) * 127.5 if signed else shares.clip(0) * 255).astype(np.uint8)
    sheet = Image.fromarray(np.concatenate(list(numbers), axis=1), "P")
    sheet.putpalette(np.rint(255 * colour).astype(np.uint8).tobytes())
    sheet.info["transparency"] = np.rint(255 * alpha[:, 0]).astype(np.uint8).tobytes()
    return sheet


def _sprite(images: np.ndarray, alt: str) -> str:
    """(N, H, W, 1 or 3) images side by side."""
    pixels = np.rint(255 * np.concatenate(list(images), axis=1)).astype(np.uint8)
    return _data(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), alt, "sprite")


def _data(sheet: Image.Image, alt: str, kind: str) -> str:
    stream = io.BytesIO()
    sheet.save(stream, format="png", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img class="{kind}" src="data:image/png;base64,{data}" alt="{alt}">'


SECTION = Section(draw, measure, rules)

"""The part of a report about what each layer has learned, and what it keeps."""

import html

import numpy as np
from numpy.typing import ArrayLike

from analysis.report.depth import Depth, Level
from analysis.report.findings import Findings
from analysis.report.markup import picture, plate, reduced
from analysis.report.subject import Subject


def section(subject: Subject, findings: Findings) -> str:
    """Channels and classes maximised, their top images, and images rebuilt from each layer; none without a network."""
    depth, settings = findings.depth, findings.settings
    if depth is None:
        return ""
    searched = min(settings.searched, len(subject.labels))
    *starts, first = np.cumsum([0, *(len(level.top.channels) for level in depth.levels)])
    return (
        "<section id=inside><h2>What it has learned</h2>"
        + picture(
            "".join(_channels(subject, depth, level, start) for level, start in zip(depth.levels, starts, strict=True)),
            "The channels of each layer whose mean says most about the class: the number, and the bits in brackets. "
            f"First an image made to raise the mean of the channel ({settings.ascent} steps from noise), with that "
            "mean; grey where it is 0, since noise leaves the channel silent and there is no gradient to climb. Then "
            f"the images among the first {searched:,} of the test set on which the channel is largest anywhere, with "
            "their class and that value; framed: the pixels that it depends on.",
        )
        + picture(
            f'<div class="cards">{"".join(_classes(subject, depth, first))}</div>',
            f"Images made to raise the logit of each class ({settings.ascent} steps from noise), with that logit. They "
            "show what the network asks for, which need not look like the class.",
        )
        + picture(
            f'<div class="strips threes">{"".join(_rebuilt(subject, depth))}</div>',
            f"Images rebuilt from nothing but the activation of a layer ({settings.descent} steps, smooth where "
            "the layer does not care). Below each the correlation of its pixels with the image's: 1 where all is kept.",
        )
        + "</section>"
    )


def _channels(subject: Subject, depth: Depth, level: Level, start: int) -> str:
    rows = []
    for number, channel in enumerate(level.top.channels):
        title = f"channel {channel} of {level.layer}"
        bits = f"<b>{channel}</b> ({level.information[number]:.2f})"
        made = f"<span>{depth.reached[start + number]:.3g}</span>"
        plates = [plate(_small(depth.made[start + number]), f"made for {title}", bits, made)]
        for index, value, box in zip(
            level.top.indices[number], level.top.activations[number], level.boxes[number], strict=True
        ):
            name = subject.classes[int(subject.labels[index])]
            what = f"test image {index}, class {name}, on which {title} is {value:.3g}"
            frame = _frame(box, subject.images.shape)
            plates.append(
                plate(_small(subject.images[index]), what, html.escape(name), f"<span>{value:.3g}</span>", frame)
            )
        rows.append(f'<div class="strip unit">{"".join(plates)}</div>')
    return f'<h3>{html.escape(level.layer)}</h3><div class="strips units">{"".join(rows)}</div>'


def _frame(box: np.ndarray, shape: tuple[int, ...]) -> str:
    """The frame of a receptive field, in percent of the image; none where it covers nothing."""
    top, left, bottom, right = box
    if bottom <= top or right <= left:
        return ""
    height, width = 100 / shape[1], 100 / shape[2]
    place = f"top:{top * height:.4g}%;left:{left * width:.4g}%"
    return f'<i style="{place};height:{(bottom - top) * height:.4g}%;width:{(right - left) * width:.4g}%"></i>'


def _classes(subject: Subject, depth: Depth, first: int) -> list[str]:
    return [
        plate(_small(image), f"made for class {name}", html.escape(name), f'<span class="below">{logit:.3g}</span>')
        for name, image, logit in zip(subject.classes, depth.made[first:], depth.reached[first:], strict=True)
    ]


def _rebuilt(subject: Subject, depth: Depth) -> list[str]:
    strips = []
    for row, index in enumerate(depth.inverted):
        name = html.escape(subject.classes[int(subject.labels[index])])
        plates = [plate(_small(subject.images[index]), f"test image {index}", f"no. {index}: {name}")]
        for level in depth.levels:
            kept = f'<span class="below">{float(level.rebuilt.detail[row]):.2f}</span>'
            what = f"test image {index} rebuilt from {level.layer}"
            plates.append(plate(_small(level.rebuilt.images[row]), what, html.escape(level.layer), kept))
        strips.append(f'<div class="strip">{"".join(plates)}</div>')
    return strips


def _small(image: ArrayLike) -> np.ndarray:
    return reduced(np.asarray(image, np.float32)[np.newaxis])[0]

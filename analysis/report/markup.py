"""Pieces of a page: figures, tables, images and charts as HTML that needs nothing else."""

import base64
import html
import re
from collections.abc import Iterable, Sequence

import jax
import numpy as np
from matplotlib.figure import Figure

from analysis import draw
from analysis.numerics import wilson
from convzoo.plots import in_percent

MOST_PIXELS = 96
"""Where a page holds many pictures, larger ones are reduced to this side, so that it stays small."""


def percent(share: float, count: int = 1000) -> str:
    """A share in percent, with as many digits as a share of so many cases carries.

    Example:
      >>> percent(0.87, 100), percent(0.87, 360)
      ('87\\xa0%', '87.0\\xa0%')
    """
    return f"{in_percent(share, count)}\u00a0%"


def interval(share: float, count: int) -> str:
    """Wilson's 95 % interval of a share of `count` cases, in percent.

    Example:
      >>> interval(0.69, 100)
      '59 to 77\\xa0%'
    """
    low, high = wilson(share, count)
    return f"{in_percent(low, count)} to {percent(high, count)}"


def picture(content: str, caption: str) -> str:
    """A numbered figure; content and caption are HTML."""
    return f'<figure class="picture">{content}<figcaption>{caption}</figcaption></figure>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A numbered table of texts; the caption is HTML."""
    header = "".join(f"<th scope=col>{html.escape(cell)}</th>" for cell in head)
    lines = "".join(
        f"<tr><th scope=row>{html.escape(first)}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return (
        f'<figure class="table"><figcaption>{caption}</figcaption><div class="scroll" tabindex=0>'
        f"<table><thead><tr>{header}</tr></thead><tbody>{lines}</tbody></table></div></figure>"
    )


def plate(pixels: np.ndarray, alt: str, above: str = "", below: str = "", over: str = "") -> str:
    """An image with words, in HTML, above and below, and marks over it."""
    shown = image(pixels, alt)
    shown = f'<div class="marked">{shown}{over}</div>' if over else shown
    return f'<div class="plate"><span class="above">{above}</span>{shown}<div class="under">{below}</div></div>'


def verdict(classes: Sequence[str], shares: np.ndarray, truth: int, sign: str = "") -> str:
    """The most probable class with its probability, marked where it is not the true one.

    Args:
      classes: their names.
      shares: (K,) probabilities.
      truth: the true class.
      sign: text in front.
    """
    guess = int(shares.argmax())
    kind = "right" if guess == truth else "wrong"
    return f"<span class={kind}>{sign}{html.escape(classes[guess])}, {percent(shares[guess])}</span>"


def image(pixels: np.ndarray, alt: str) -> str:
    """An (H, W, C) image in [0, 1], inline."""
    data = base64.b64encode(draw.png(pixels)).decode()
    height, width = pixels.shape[:2]
    return f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{html.escape(alt)}">'


def svg(figure: Figure, name: str, alt: str, kind: str = "wide") -> str:
    """A chart in the page's own colours and letters, its ids distinct from every other chart's."""
    text = draw.svg(figure)
    for role, colour in draw.PALETTE.items():
        text = text.replace(colour, f"var(--{role})")
    text = re.sub(r"<(metadata|style).*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| (?:width|height)="[\d.]*pt"|font-family: [^;"]*; ?', "", text)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\1{name}-", text).replace("xlink:href", "href")
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}" class="{kind}"', 1)


def reduced(images: np.ndarray) -> np.ndarray:
    """(N, H, W, C) images or maps with at most `MOST_PIXELS` a side."""
    count, height, width, channels = images.shape
    shrink = min(1.0, MOST_PIXELS / max(height, width))
    if shrink == 1:
        return images
    shape = (count, max(1, round(height * shrink)), max(1, round(width * shrink)), channels)
    return np.asarray(jax.image.resize(images, shape, "linear"))

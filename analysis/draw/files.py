"""A figure or an image as what a page or a file takes."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from analysis.draw.colour import rgb
from analysis.draw.style import PALETTE, STYLE


@mpl.rc_context(STYLE)
def svg(figure: Figure) -> str:
    """A figure as SVG on a transparent ground, its text kept as text; equal figures give equal strings.

    Example:
      >>> svg(Figure()).startswith("<svg")
      True
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


@mpl.rc_context(STYLE)
def png(picture: Figure | ArrayLike, dpi: int = 200) -> bytes:
    """A figure at some dots per inch, or one (H, W, C) image in [0, 1] pixel by pixel, as PNG.

    Example:
      >>> png(np.zeros((8, 8, 1)))[1:4]
      b'PNG'
    """
    stream = io.BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(stream, format="png", dpi=dpi, facecolor=PALETTE["paper"], metadata={"Software": None})
    else:
        pixels = np.rint(255 * rgb(np.asarray(picture)[np.newaxis])[0]).astype(np.uint8)
        Image.fromarray(pixels).save(stream, format="png", optimize=True)
    return stream.getvalue()

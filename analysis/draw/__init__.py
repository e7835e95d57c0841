"""Pictures as a paper prints them, drawn without a screen.

Every function returns a `matplotlib.figure.Figure` that belongs to nobody: no global state is touched, and
`svg` and `png` turn it into what a file or a page takes. Series are told apart by dash and marker as well as
by colour (Okabe & Ito's palette), and maps by lightness as well as by hue.
"""

from analysis.draw.charts import confusion_matrix, curves, histogram, robustness
from analysis.draw.colour import blend, ground, limit, ramp, rgb, tint
from analysis.draw.files import png, svg
from analysis.draw.images import grid, mosaic, overlay, sheet
from analysis.draw.style import AGAINST, FOR, PALETTE, SERIES, STYLE

__all__ = [
    "AGAINST",
    "FOR",
    "PALETTE",
    "SERIES",
    "STYLE",
    "blend",
    "confusion_matrix",
    "curves",
    "grid",
    "ground",
    "histogram",
    "limit",
    "mosaic",
    "overlay",
    "png",
    "ramp",
    "rgb",
    "robustness",
    "sheet",
    "svg",
    "tint",
]

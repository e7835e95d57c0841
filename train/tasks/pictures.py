"""Pictures of predictions, which a run writes at its end."""

from typing import TYPE_CHECKING, Any

import numpy as np

from convzoo import plots

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure

    from train.tasks.verification import Curve

CLASS_COLOURS = ("#f2f2f2", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")
"""Of the background and further classes, Okabe and Ito's; repeated where there are more classes."""


def masks(images: np.ndarray, truth: np.ndarray, predictions: np.ndarray, classes: int) -> "Figure":
    """Images, their masks and the predictions, one below the other, with the share of equal pixels.

    Args:
      images: (N, H, W, C) in [0, 1].
      truth: (N, h, w) integers below `classes`.
      predictions: the same.
      classes: their number.

    Returns:
      A figure that belongs to no window.

    Example:
      >>> figure = masks(np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4), int), np.ones((2, 4, 4), int), 2)
      >>> [text.get_text() for text in figure.axes[0].texts]
      ['image']
    """
    from matplotlib.colors import ListedColormap

    colours = [CLASS_COLOURS[index % len(CLASS_COLOURS)] for index in range(classes)]
    shown = {"cmap": ListedColormap(colours), "vmin": -0.5, "vmax": classes - 0.5, "interpolation": "nearest"}
    rows = {"image": images, "mask": truth, "prediction": predictions}
    figure, panels = _panels(len(rows), len(images))
    for line, (name, values) in zip(panels, rows.items(), strict=True):
        for axes, value in zip(line, values, strict=True):
            if name == "image":
                _show(axes, value)
            else:
                axes.imshow(value, **shown)
        line[0].text(-0.08, 0.5, name, transform=line[0].transAxes, rotation=90, ha="right", va="center")
    for axes, one, other in zip(panels[-1], truth, predictions, strict=True):
        axes.set_xlabel(f"{(one == other).mean():.1%} right")
    return figure


def positions(images: np.ndarray, truth: np.ndarray, predictions: np.ndarray) -> "Figure":
    """Images with a circle at the true place and a cross at the prediction.

    Args:
      images: (N, H, W, C) in [0, 1].
      truth: (N, 2) rows and columns, as fractions of the sides.
      predictions: the same.

    Returns:
      A figure that belongs to no window.

    Example:
      >>> figure = positions(np.zeros((1, 10, 10, 3)), np.array([[0.5, 0.5]]), np.array([[0.5, 0.8]]))
      >>> figure.axes[0].get_xlabel()
      '3.0 px'
    """
    figure, panels = _panels(1, len(images))
    sides = np.array(images.shape[1:3])
    for axes, image, true, guess in zip(panels[0], images, truth * sides, predictions * sides, strict=True):
        _show(axes, image)
        for place, marker, colour in ((true, "o", "white"), (guess, "x", plots.PALETTE["second"])):
            # The centre of the first pixel is 0 in a picture and half a pixel in the image.
            axes.plot(
                place[1] - 0.5, place[0] - 0.5, marker, color=colour, markersize=9, fillstyle="none", markeredgewidth=2
            )
        axes.set(xlim=(-0.5, sides[1] - 0.5), ylim=(sides[0] - 0.5, -0.5), xlabel=f"{np.hypot(*(true - guess)):.1f} px")
    figure.suptitle("○ true centre   × prediction", fontsize=9)
    return figure


def verification(curve: "Curve", counts: np.ndarray) -> "Figure":
    """The ROC, and the distribution of the similarities of pairs of the same and of different identities.

    Args:
      curve: of all pairs.
      counts: (2, BINS) pairs of different and of the same identity, by cosine from −1 to 1.

    Returns:
      A figure that belongs to no window.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(9, 3.6), dpi=150, layout="constrained")
        left, right = figure.subplots(1, 2)
        label = f"EER {curve.equal_error:.1%}, area {curve.area:.4f}"
        left.plot(curve.false_accepts, curve.true_accepts, color=plots.PALETTE["first"], label=label)
        left.plot([0, 1], [1, 0], "--", color=plots.PALETTE["muted"], linewidth=0.8)
        left.set(xlabel="false accept rate", ylabel="true accept rate", title="ROC", xlim=(0, 1), ylim=(0, 1.01))
        coarse = counts.reshape(2, 50, -1).sum(2)
        edges = np.linspace(-1, 1, 51)
        for values, name, colour in zip(
            coarse, ("different identities", "same identity"), ("second", "first"), strict=True
        ):
            right.stairs(
                values / max(values.sum(), 1), edges, color=plots.PALETTE[colour], label=name, fill=True, alpha=0.6
            )
        right.set(xlabel="cosine of a pair", ylabel="share of pairs", title="similarities")
        left.legend(loc="lower right")
        right.legend(loc="upper left")
    return figure


def _panels(rows: int, columns: int) -> "tuple[Figure, np.ndarray]":
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(1.15 * columns + 0.4, 1.25 * rows + 0.4), dpi=150, layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.xaxis.label.set_fontsize(8)
    return figure, panels


def _show(axes: Any, image: np.ndarray) -> None:
    gray = image.shape[-1] == 1
    axes.imshow(image[..., 0] if gray else image, cmap="gray" if gray else None, vmin=0, vmax=1)

"""Attribution maps in a report: of some images by one method, with their colours and their colour bar."""

import dataclasses
import html

import numpy as np

from analysis import draw
from analysis.attribution.methods import METHODS, explainer
from analysis.report.markup import plate
from analysis.report.subject import Subject


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """One method's maps of some images.

    Attributes:
      name: of the method.
      unit: of a value.
      meaning: the method in a clause.
      signed: whether values below zero mean something.
      values: (M, H, W).
      layer: from which they are; empty: the method has no layer.
    """

    name: str
    unit: str
    meaning: str
    signed: bool
    values: np.ndarray
    layer: str = ""

    @property
    def title(self) -> str:
        """The method, and the layer that it looks into."""
        return f"{self.name}, {self.layer}" if self.layer else self.name

    @property
    def sentence(self) -> str:
        """The method, and what its colours say."""
        meaning = self.meaning[0].upper() + self.meaning[1:]
        return f"{meaning}; orange speaks for the class, blue against it." if self.signed else f"{meaning}."

    @property
    def bar(self) -> str:
        """The colour bar as HTML, with its title."""
        saturation = draw.limit(self.values)
        low, high = (f"≤ −{saturation:.2g}" if self.signed else "0"), f"≥ {saturation:.2g}"
        ends = f'<span class="ends"><span>{low}</span><span>{high}</span></span>'
        alt = f"colour bar of {self.name}, from {low} to {high}"
        return plate(draw.ramp(self.signed), alt, f"{html.escape(self.title)}: {self.unit}", ends)


def maps_of(
    subject: Subject, method: str, images: np.ndarray, targets: np.ndarray, layer: str | None = None, key=None
) -> Maps:
    """The maps of a method for one class an image.

    Args:
      subject: the classifier.
      method: one of `analysis.attribution.methods.METHODS`.
      images: (M, H, W, C).
      targets: (M,) classes, int32.
      layer: of methods that look into one; None: the last stage.
      key: of methods that draw; None: their default.

    Raises:
      ValueError: the model refuses the method.
    """
    about = METHODS[method]
    values = np.asarray(explainer(method, subject.logits_fn, subject.network, layer, key)(images, targets))
    return Maps(about.label, about.unit, about.meaning, about.signed, values, layer or "")

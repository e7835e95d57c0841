"""All attacks in one table: what each looks for, and what it needs of the classifier."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from analysis.attacks.auto_projected_gradient import apgd
from analysis.attacks.fast_gradient import fgsm
from analysis.attacks.projected_gradient import pgd


class Method(NamedTuple):
    """An attack.

    Attributes:
      function: of `analysis.attacks`.
      label: its name in text and pictures.
      kind: `"bounded"`: the worst image within a threat; `"minimal"`: the nearest image of another class.
      needs: `"gradients"` of the logits, their values (`"scores"`), or the predicted `"labels"` alone.
    """

    function: Callable
    label: str
    kind: Literal["bounded", "minimal"]
    needs: Literal["gradients", "scores", "labels"]


METHODS: dict[str, Method] = {
    "apgd": Method(apgd, "Auto-PGD", "bounded", "gradients"),
    "fgsm": Method(fgsm, "FGSM", "bounded", "gradients"),
    "pgd": Method(pgd, "PGD", "bounded", "gradients"),
}
"""By the name of the function."""

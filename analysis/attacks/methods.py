"""All attacks in one table: what each looks for, and what it needs of the classifier."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from analysis.attacks.auto_projected_gradient import apgd
from analysis.attacks.carlini import carlini_wagner
from analysis.attacks.decoupled import ddn
from analysis.attacks.deep_fool import deepfool
from analysis.attacks.fast_boundary import fab
from analysis.attacks.fast_gradient import fgsm
from analysis.attacks.fast_minimum_norm import fmn
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
    "carlini_wagner": Method(carlini_wagner, "Carlini–Wagner", "minimal", "gradients"),
    "ddn": Method(ddn, "DDN", "minimal", "gradients"),
    "deepfool": Method(deepfool, "DeepFool", "minimal", "gradients"),
    "fab": Method(fab, "FAB", "minimal", "gradients"),
    "fgsm": Method(fgsm, "FGSM", "bounded", "gradients"),
    "fmn": Method(fmn, "FMN", "minimal", "gradients"),
    "pgd": Method(pgd, "PGD", "bounded", "gradients"),
}
"""By the name of the function."""

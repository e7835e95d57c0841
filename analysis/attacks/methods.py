"""All attacks in one table: what each looks for, and what it needs of the classifier."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from analysis.attacks.auto_projected_gradient import apgd
from analysis.attacks.boundary import hop_skip_jump
from analysis.attacks.carlini import carlini_wagner
from analysis.attacks.decoupled import ddn
from analysis.attacks.deep_fool import deepfool
from analysis.attacks.differences import finite_differences
from analysis.attacks.fast_boundary import fab
from analysis.attacks.fast_gradient import fgsm
from analysis.attacks.fast_minimum_norm import fmn
from analysis.attacks.natural_evolution import nes
from analysis.attacks.patches import adversarial_patch
from analysis.attacks.projected_gradient import pgd
from analysis.attacks.square_search import square
from analysis.attacks.stickers import sticker


class Method(NamedTuple):
    """An attack.

    Attributes:
      function: of `analysis.attacks`.
      label: its name in text and pictures.
      kind: `"bounded"`: the worst image within a threat; `"minimal"`: the nearest image of another class;
        `"patch"`: any change of some pixels, and none of the others.
      needs: `"gradients"` of the logits, their values (`"scores"`), or the predicted `"labels"` alone.
    """

    function: Callable
    label: str
    kind: Literal["bounded", "minimal", "patch"]
    needs: Literal["gradients", "scores", "labels"]


METHODS: dict[str, Method] = {
    "adversarial_patch": Method(adversarial_patch, "adversarial patch", "patch", "gradients"),
    "apgd": Method(apgd, "Auto-PGD", "bounded", "gradients"),
    "carlini_wagner": Method(carlini_wagner, "Carlini–Wagner", "minimal", "gradients"),
    "ddn": Method(ddn, "DDN", "minimal", "gradients"),
    "deepfool": Method(deepfool, "DeepFool", "minimal", "gradients"),
    "fab": Method(fab, "FAB", "minimal", "gradients"),
    "fgsm": Method(fgsm, "FGSM", "bounded", "gradients"),
    "finite_differences": Method(finite_differences, "finite differences", "bounded", "scores"),
    "fmn": Method(fmn, "FMN", "minimal", "gradients"),
    "hop_skip_jump": Method(hop_skip_jump, "HopSkipJump", "minimal", "labels"),
    "nes": Method(nes, "NES", "bounded", "scores"),
    "pgd": Method(pgd, "PGD", "bounded", "gradients"),
    "square": Method(square, "Square", "bounded", "scores"),
    "sticker": Method(sticker, "sticker", "patch", "gradients"),
}
"""By the name of the function."""

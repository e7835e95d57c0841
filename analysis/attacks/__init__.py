"""Small changes to an image that change what a model says of it.

`threat` says which changes count as small; images always stay in [0, 1].
"""

from analysis.attacks.auto_projected_gradient import apgd
from analysis.attacks.batch_dependence import depends_on_batch
from analysis.attacks.boundary import hop_skip_jump
from analysis.attacks.carlini import carlini_wagner
from analysis.attacks.decoupled import ddn
from analysis.attacks.deep_fool import deepfool
from analysis.attacks.differences import finite_differences
from analysis.attacks.evaluation import SUITES, Evaluation, evaluate
from analysis.attacks.fast_boundary import fab
from analysis.attacks.fast_gradient import fgsm
from analysis.attacks.fast_minimum_norm import fmn
from analysis.attacks.natural_evolution import nes
from analysis.attacks.patches import Patch, adversarial_patch
from analysis.attacks.projected_gradient import pgd
from analysis.attacks.queries import Queried
from analysis.attacks.square_search import square
from analysis.attacks.stickers import sticker
from analysis.attacks.threat import L1, L2, Linf, Threat
from analysis.attacks.transfer import TransferMatrix, proxy, transfer_matrix

__all__ = [
    "L1",
    "L2",
    "SUITES",
    "Evaluation",
    "Linf",
    "Patch",
    "Queried",
    "Threat",
    "TransferMatrix",
    "adversarial_patch",
    "apgd",
    "carlini_wagner",
    "ddn",
    "deepfool",
    "depends_on_batch",
    "evaluate",
    "fab",
    "fgsm",
    "finite_differences",
    "fmn",
    "hop_skip_jump",
    "nes",
    "pgd",
    "proxy",
    "square",
    "sticker",
    "transfer_matrix",
]

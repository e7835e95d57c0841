"""Transfer: fine-tuning of trained weights, frozen or at rates by stage, and their features in other classifiers.

from train import transfer
transfer.features(model, variables, images, ["stage2", "stage3"])     # for scikit-learn, or `transfer.linear_head`
"""

from train.transfer.extraction import features, linear_head
from train.transfer.freezing import frozen, frozen_norms, optimizer, without
from train.transfer.rules import STRATEGIES, Group, RuleError, check, describe, heads, highest, of_model, redrawn
from train.transfer.signs import Watch

__all__ = [
    "STRATEGIES",
    "Group",
    "RuleError",
    "Watch",
    "check",
    "describe",
    "features",
    "frozen",
    "frozen_norms",
    "heads",
    "highest",
    "linear_head",
    "of_model",
    "optimizer",
    "redrawn",
    "without",
]

"""Evaluation of robustness: suites of attacks, and the reasons for which their result may be too good."""

from analysis.attacks.evaluation.evaluations import Evaluation
from analysis.attacks.evaluation.pitfalls import Pitfall
from analysis.attacks.evaluation.procedure import evaluate
from analysis.attacks.evaluation.suites import SUITES, Step

__all__ = ["SUITES", "Evaluation", "Pitfall", "Step", "evaluate"]

"""Scores of attribution maps: where they point, what their pixels do to the class, and whether they depend on it."""

from analysis.scores.curves import Curve, blurred, deletion, deletion_curve, insertion, insertion_curve
from analysis.scores.faithfulness import completeness, infidelity, sensitivity
from analysis.scores.forms import as_maps, as_masks
from analysis.scores.randomisation import Randomisation, of_logits, randomisation
from analysis.scores.regions import contrast, mass_inside, pointing_game
from analysis.scores.similarity import agreement, rank_correlation, structural_similarity

__all__ = [
    "Curve",
    "Randomisation",
    "agreement",
    "as_maps",
    "as_masks",
    "blurred",
    "completeness",
    "contrast",
    "deletion",
    "deletion_curve",
    "infidelity",
    "insertion",
    "insertion_curve",
    "mass_inside",
    "of_logits",
    "pointing_game",
    "randomisation",
    "rank_correlation",
    "sensitivity",
    "structural_similarity",
]

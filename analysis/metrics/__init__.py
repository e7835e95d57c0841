"""Scores of attribution maps: where they point, what their pixels do to the class, and whether they depend on it."""

from analysis.metrics.curves import Curve, blurred, deletion, deletion_curve, insertion, insertion_curve
from analysis.metrics.faithfulness import completeness, infidelity, sensitivity
from analysis.metrics.forms import as_maps, as_masks
from analysis.metrics.regions import contrast, mass_inside, pointing_game
from analysis.metrics.sanity import Randomisation, of_logits, randomisation
from analysis.metrics.similarity import agreement, rank_correlation, structural_similarity

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

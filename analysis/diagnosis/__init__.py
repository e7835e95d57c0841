"""Diagnosis: dead, duplicated and noisy channels, random filters, and memorised training sets.

`health` is a function of `analysis`; the reports that it joins are here.
"""

from analysis.diagnosis.channels import channel_report
from analysis.diagnosis.classes import class_information, class_selectivity, specialization
from analysis.diagnosis.colour import colour_selectivity
from analysis.diagnosis.figures import activation_figure, kernel_figure
from analysis.diagnosis.findings import Finding
from analysis.diagnosis.kernels import kernel_of, kernel_report
from analysis.diagnosis.purity import chance_purity, class_purity

__all__ = [
    "Finding",
    "activation_figure",
    "chance_purity",
    "channel_report",
    "class_information",
    "class_purity",
    "class_selectivity",
    "colour_selectivity",
    "kernel_figure",
    "kernel_of",
    "kernel_report",
    "specialization",
]

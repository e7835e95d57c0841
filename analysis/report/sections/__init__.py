"""The sections of a report, in the order of the page; each file measures and draws one."""

from analysis.report.sections import explorer, inside, maps, metrics, mistakes, robustness, training

SECTIONS = {
    "metrics": metrics.SECTION,
    "training": training.SECTION,
    "mistakes": mistakes.SECTION,
    "maps": maps.SECTION,
    "explorer": explorer.SECTION,
    "inside": inside.SECTION,
    "robustness": robustness.SECTION,
}

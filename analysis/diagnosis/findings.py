"""Findings of a diagnosis: kind, place, measured number, and a sentence with that number."""

import dataclasses
from collections import Counter
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Finding:
    """One defect.

    Attributes:
      kind: one word, such as `"dead"`.
      layer: the path of the layer; empty: the whole model.
      channels: the channels or filters it is about, the first one the culprit; empty: all of them.
      number: the measurement that made it.
      text: a sentence with the number.
    """

    kind: str
    layer: str
    channels: tuple[int, ...]
    number: float
    text: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.text}" if self.layer else self.text


def told(findings: Iterable[Finding], most: int = 4) -> str:
    """A line for each finding, at most `most` of one kind in one layer, and how many more there are.

    Example:
      >>> print(told([Finding("dead", "stem", (i,), 0.0, f"channel {i} is dead") for i in range(9)], most=1))
      stem: channel 0 is dead
      stem: and 8 more that are dead
    """
    lines, counts = [], Counter[tuple[str, str]]()
    for finding in findings:
        group = finding.layer, finding.kind
        counts[group] += 1
        if counts[group] <= most:
            lines.append(str(finding))
    for (layer, kind), count in counts.items():
        if count > most:
            lines.append(str(Finding(kind, layer, (), count, f"and {count - most} more that are {kind}")))
    return "\n".join(lines)

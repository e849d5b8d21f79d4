"""What a measure finds: our figure beside the limit it is held against."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


class NotMeasured(Exception):
    """Why there is no figure here, as a sentence: something it needs is not installed."""


class WentWrong(Exception):
    """What happened instead of what was to be measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    ours: float
    unit: str
    #: What must hold, in words, and whether it does.
    must: str
    held: bool
    #: What the same machine did in the same run without Errand.
    bare: float | None = None
    bare_label: str = ""
    #: More about how `ours` came to be: {name: figure}.
    details: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.bare if self.bare else None


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]

"""Numbers that are looked at: one by itself, or many as a chart."""

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.report.pieces import Piece
from jobs.report.values import number_or_text, value_of

CHARTS = ("bars", "lines")


class Metric(Piece):
    """One number that matters, with what it is called. Several in a row stand side by side."""

    kind = "metric"

    def __init__(self, label: Any, value: Any, unit: Any = "", note: Any = "", **options: Any) -> None:
        super().__init__(**options)
        self.label, self.value, self.unit, self.note = label, value, unit, note

    def facts(self) -> dict[str, Any]:
        return {
            "label": str(self.label),
            "value": number_or_text(self.value),
            "unit": str(self.unit or ""),
            "note": str(self.note or ""),
        }


class Chart(Piece):
    """Bars or lines of plain numbers.

    data: `{label: number}`; or `{name of a series: [numbers]}` with `labels`; or `[(label, number), ...]`.
    chart: "bars" or "lines". Raises ValueError for data that is neither, and for any other chart.
    """

    kind = "chart"

    def __init__(
        self,
        data: Any,
        chart: str = "bars",
        title: Any = "",
        labels: Iterable[Any] | None = None,
        unit: Any = "",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if chart not in CHARTS:
            raise ValueError(f"A chart is one of {', '.join(CHARTS)}, not {chart!r}.")
        self.chart, self.title, self.unit = chart, title, unit
        self.labels, self.series = _series(data, None if labels is None else list(labels))

    def facts(self) -> dict[str, Any]:
        return {
            "chart": self.chart,
            "title": value_of(self.title),
            "labels": [str(label) for label in self.labels],
            "series": [{"name": str(name), "values": values} for name, values in self.series],
            "unit": str(self.unit or ""),
        }


def _series(data: Any, labels: list[Any] | None) -> tuple[list[Any], list[tuple[Any, list[Any]]]]:
    pairs = list(data.items()) if isinstance(data, Mapping) else list(data)
    if all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        if any(isinstance(values, list | tuple) for _, values in pairs):
            return _many(pairs, labels)
        return [label for label, _ in pairs], [("", [_number(value) for _, value in pairs])]
    values = [_number(value) for value in pairs]
    return (labels or list(range(1, len(values) + 1))), [("", values)]


def _many(pairs: list[Any], labels: list[Any] | None) -> tuple[list[Any], list[tuple[Any, list[Any]]]]:
    series = [(name, [_number(value) for value in values]) for name, values in pairs]
    longest = max(len(values) for _, values in series)
    labels = list(range(1, longest + 1)) if labels is None else labels
    return labels, [(name, (values + [None] * len(labels))[: len(labels)]) for name, values in series]


def _number(value: Any) -> int | float | None:
    """Return a number as JSON has it; None for a gap."""
    if value is None:
        return None
    try:
        number = value if isinstance(value, int) else float(value)
        fits = abs(number) <= 1e300
    except (TypeError, ValueError) as error:
        raise ValueError(f"A chart takes numbers, not {value!r:.40}.") from error
    return number if fits else None  # Not a number, or without end: a gap.

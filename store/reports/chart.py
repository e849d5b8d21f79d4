"""Charts as SVG, drawn from plain numbers: bars that lie, and lines over labels. Colours are classes of the page."""

import math
from typing import Any

from markupsafe import Markup

from jobs.report.writing import plain_text
from store.text import clean_text

WIDTH = 640
ROW, BAR = 29, 16
LEFT_MOST = 200
PLOT_HEIGHT = 200

#: More bars, or labels, than anybody looks at: the table below has them all.
MOST_BARS = 60
MOST_SERIES = 6

#: Where a chart stands alone there is no page that says what its classes look like.
ALONE = (
    "<style>svg{font:12px system-ui,sans-serif;color:#1c2024;background:#fff}.of{fill:#1f66d1;opacity:.12}"
    ".axis{stroke:#d5d9dd}.ch1{fill:#1f66d1;stroke:#1f66d1}.ch2{fill:#1a7f4b;stroke:#1a7f4b}.ch3{fill:#a15c00;stroke:#a15c00}"
    ".ch4{fill:#7a4fc4;stroke:#7a4fc4}.ch5{fill:#b3261e;stroke:#b3261e}.ch6{fill:#5b6570;stroke:#5b6570}"
    ".line{fill:none;stroke-width:2}.rod{stroke:none}.tick{paint-order:stroke;stroke:#fff;stroke-width:3px}</style>"
)


def svg(chart: dict[str, Any], *, alone: bool = False) -> Markup:
    """Return the chart; alone: as a file of its own."""
    lines = chart["chart"] == "lines"
    body, height = _lines(chart) if lines else _bars(chart)
    if alone:
        more = Markup(' xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}"').format(
            WIDTH, height, WIDTH
        )
    elif lines:
        # As wide as there is room: on a phone, too, its end is in sight, which is the news.
        more = Markup(' class="chart fluid" width="100%"')
    else:
        more = Markup(' class="chart" viewBox="0 0 {} {}" width="{}"').format(WIDTH, height, WIDTH)
    style = Markup(ALONE) if alone else Markup("")  # noqa: S704  (a constant of ours)
    drawn = Markup(
        '<svg{} height="{}" role="img" aria-label="{}" font-size="12" fill="currentColor">{}{}</svg>'
    ).format(more, height, label(chart), style, body)
    # XML takes no control characters, and they are in names.
    return Markup(clean_text(drawn))  # noqa: S704  (it is what it was, and has no markup more)


def label(chart: dict[str, Any]) -> str:
    """Say what the chart shows, for who does not see it."""
    title = plain_text(chart["title"]) or ("Bars" if chart["chart"] == "bars" else "Lines")
    values = chart["series"][0]["values"] if len(chart["series"]) == 1 else []
    said = [
        f"{name} {number(value)}{chart['unit']}"
        for name, value in list(zip(chart["labels"], values, strict=False))[:6]
    ]
    more = f" and {len(values) - 6} more" if len(values) > 6 else ""
    return (
        f"{title}: {', '.join(said)}{more}"
        if said
        else f"{title}: {len(chart['series'])} series of {len(chart['labels'])}"
    )


def number(value: float | None) -> str:
    if value is None:
        return "–"
    text = (
        f"{value:,.0f}"
        if abs(value) >= 100 or value == int(value)
        else f"{value:,.2f}".rstrip("0").rstrip(".")
    )
    return text if len(text) < 16 else f"{value:.3g}"


def _bars(chart: dict[str, Any]) -> tuple[Markup, int]:
    labels, series = chart["labels"][:MOST_BARS], chart["series"][:MOST_SERIES]
    longest = max((len(name) for name in labels), default=0)
    # Numbers come before their bars: a phone shows the left of a chart, and the rest only to who moves it.
    left = min(LEFT_MOST, 16 + 7 * longest)
    left += 16 + 7 * max(
        (len(number(value) + chart["unit"]) for each in series for value in each["values"]), default=0
    )
    low, high = _range(chart)
    room = WIDTH - left
    scale = room / ((high - low) or 1)
    zero = left - low * scale
    parts, y = [], 0
    for place, name in enumerate(labels):
        shown = name if len(name) <= 27 else name[:26] + "…"
        parts.append(Markup('<text x="0" y="{}">{}</text>').format(y + 18, shown))
        for order, each in enumerate(series, 1):
            value = each["values"][place] if place < len(each["values"]) else None
            parts.append(_bar(value, order, zero, scale, (left, room, y + 6), chart["unit"]))
            y += ROW if order == len(series) else BAR + 2
    return Markup("").join([*parts, _legend(series, y)]), y + _legend_height(series) + 2


def _bar(
    value: Any, order: int, zero: float, scale: float, box: tuple[float, float, float], unit: str
) -> Markup:
    left, room, y = box
    length = abs(value or 0) * scale
    x = zero - length if (value or 0) < 0 else zero
    return Markup(
        '<rect class="of" x="{}" y="{}" width="{}" height="{}" rx="2"/>'
        '<rect class="rod ch{}" x="{}" y="{}" width="{}" height="{}" rx="2"/><text x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(
        _n(left),
        y,
        _n(room),
        BAR,
        order,
        _n(x),
        y,
        _n(length),
        BAR,
        _n(left - 8),
        y + 12,
        number(value) + (unit if value is not None else ""),
    )


def _lines(chart: dict[str, Any]) -> tuple[Markup, int]:
    """Draw lines in a box that is stretched, under numbers and labels that are not."""
    series, count = chart["series"][:MOST_SERIES], len(chart["labels"])
    low, high = _range(chart)
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    across = WIDTH / max(1, count - 1)
    up = (PLOT_HEIGHT - 18) / ((high - low) or 1)

    def at(place: int, value: float) -> str:
        return f"{_n(place * across)},{_n(PLOT_HEIGHT - (value - low) * up)}"

    heights = [(tick, PLOT_HEIGHT - (tick - low) * up) for tick in ticks]
    # What is read lies above what is drawn, and that above the lines behind it.
    parts = [
        Markup('<line class="axis" x1="0" x2="100%" y1="{}" y2="{}"/>').format(_n(y), _n(y))
        for _, y in heights
    ]
    drawn = [_line(each["values"], order, at) for order, each in enumerate(series, 1)]
    parts.append(
        Markup(
            '<svg width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
        ).format(PLOT_HEIGHT + 2, WIDTH, PLOT_HEIGHT + 2, Markup("").join(drawn))
    )
    parts += [
        Markup('<text class="tick" x="0" y="{}">{}</text>').format(_n(y - 4), number(tick) + chart["unit"])
        for tick, y in heights
    ]
    parts.append(_labels(chart["labels"], across))
    height = PLOT_HEIGHT + 28 + _legend_height(series)
    return Markup("").join([*parts, _legend(series, PLOT_HEIGHT + 24)]), height


def _line(values: list[Any], order: int, at: Any) -> Markup:
    outline, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        outline.append(pen + at(place, value))
        pen = "L"
    return Markup('<path class="line ch{}" vector-effect="non-scaling-stroke" d="{}"/>').format(
        order, "".join(outline)
    )


def _labels(labels: list[str], across: float) -> Markup:
    """Return the labels below, as many as there is room for; of a narrow one the page shows every other."""
    longest = max((min(len(name), 14) for name in labels), default=1)
    step = max(1, math.ceil((longest * 7 + 12) / across))
    parts = []
    for place in range(0, len(labels), step):
        percent = 100 * place * across / WIDTH
        anchor = "start" if place == 0 else "end" if percent > 94 else "middle"
        text = labels[place] if len(labels[place]) <= 14 else labels[place][:13] + "…"
        parts.append(
            Markup('<text x="{}%" y="{}" text-anchor="{}">{}</text>').format(
                _n(percent), PLOT_HEIGHT + 18, anchor, text
            )
        )
    return Markup('<g class="under">{}</g>').format(Markup("").join(parts))


def _legend(series: list[dict[str, Any]], y: int) -> Markup:
    if len(series) < 2:
        return Markup("")
    parts = []
    for order, each in enumerate(series):
        name = each["name"] if len(each["name"]) <= 26 else each["name"][:25] + "…"
        column, row = order % 2, order // 2
        parts.append(
            Markup(
                '<svg x="{}%" y="{}" width="50%" height="20"><rect class="rod ch{}" y="2" width="10" height="10" rx="2"/><text x="16" y="11">{}</text></svg>'
            ).format(column * 50, y + 4 + row * 20, order + 1, name)
        )
    return Markup("").join(parts)


def _legend_height(series: list[dict[str, Any]]) -> int:
    return 0 if len(series) < 2 else 24 + 20 * ((len(series) - 1) // 2)


def _range(chart: dict[str, Any]) -> tuple[float, float]:
    """Return the least and the greatest number, nothing among them."""
    values = [float(value) for each in chart["series"] for value in each["values"] if value is not None]
    return min([0.0, *values]), max([0.0, *values])


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10((high - low) or 1))
    step *= next(by for by in (0.2, 0.5, 1, 2, 5) if (high - low) / (step * by) <= 5.5)
    first = math.floor(low / step)
    return [count * step for count in range(first, math.ceil(high / step) + 1)]


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")

"""How numbers become places in a picture: ticks, steps and what is missing between them. Widths are in percent."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

#: The height of the box that areas and outlines are drawn in.
BOX = 100.0

#: Of durations: what people read on a scale, in seconds.
ROUND_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800),
    *(3600, 2 * 3600, 4 * 3600, 8 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400),
)


class Tick(NamedTuple):
    x: float
    at: datetime


class Level(NamedTuple):
    """A line across, for a number on the scale at the side."""

    y: float
    value: float


def day_ticks(since: datetime, until: datetime, *, hours: int) -> list[Tick]:
    """Return the full hours between, every so many; none so close to an end that its text would be cut."""
    first = since.replace(minute=0, second=0, microsecond=0)
    whole = (until - since).total_seconds()
    times = (first + timedelta(hours=hour) for hour in range(hours - first.hour % hours, 49, hours))
    ticks = (Tick(round(100 * (at - since).total_seconds() / whole, 2), at) for at in times)
    return [tick for tick in ticks if 2 < tick.x < 98]


def area(values: Sequence[float | None], most: float) -> str:
    """Return what is below the values, a step each; nothing where there is none."""
    return "".join(
        f"M{first} {BOX:g}{''.join(f'V{_y(value, most)}h1' for value in stretch)}V{BOX:g}z"
        for first, stretch in _stretches(values)
    )


def outline(values: Sequence[float | None], most: float) -> str:
    """Return the line along the values, a step each, with gaps where there is none."""
    return "".join(
        f"M{first} {_y(stretch[0], most)}h1{''.join(f'V{_y(value, most)}h1' for value in stretch[1:])}"
        for first, stretch in _stretches(values)
    )


def gaps(values: Sequence[Any]) -> list[tuple[float, float]]:
    """Return where there is nothing: (x, width)."""
    found, place = [], 0
    for missing, group in groupby(values, key=lambda value: value is None):
        count = len(list(group))
        if missing:
            found.append((round(100 * place / len(values), 2), round(100 * count / len(values), 2)))
        place += count
    return found


def levels(top: float, height: float) -> list[Level]:
    """Return two or three round durations up to `top` seconds, with their places in a picture of that height."""
    step = next((each for each in ROUND_SECONDS if top / each < 3.5), top / 3)
    count = int(top / step)
    return [
        Level(round(height * (1 - step * number / top), 1), step * number) for number in range(1, count + 1)
    ]


def _stretches(values: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    stretch: list[float] = []
    for place, value in enumerate([*values, None]):
        if value is not None:
            stretch.append(value)
        elif stretch:
            yield place - len(stretch), stretch
            stretch = []


def _y(value: float, most: float) -> str:
    return f"{BOX * (1 - value / (most or 1)):.1f}".removesuffix(".0")

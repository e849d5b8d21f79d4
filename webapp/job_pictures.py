"""The history of a job as two pictures: a mark for each run by its duration, and a bar for each day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from webapp.formats import duration, plural
from webapp.job_history import BAD, OUTCOMES, Day, Ended, JobHistory
from webapp.plots import Level, levels

#: More marks nobody tells apart, and each of them is a link and a line of the table.
MOST_MARKS = 200
#: Of those, what is drawn first: what failed, and what took longest.
MOST_BAD, MOST_SLOW = 80, 40

#: In pixels. What took much longer than the others is drawn at the top, or the others would lie flat on the ground.
MARKS_HEIGHT, BARS_HEIGHT = 160, 120
HIGHEST = 3

#: Of a bar, in percent: one alone is no wall.
WIDEST = 6

#: So many bars have their number above them.
MOST_NUMBERED = 31
MOST_DATES = 7


class Mark(NamedTuple):
    """A run: x in percent, y in pixels."""

    id: UUID
    outcome: str
    x: float
    y: float
    seconds: float | None
    run: Ended

    @property
    def title(self) -> str:
        took = duration(self.seconds) or "never ran"
        return f"{OUTCOMES[self.outcome].word}, {took}, {self.run.created_at:%d %b %H:%M}"


class Part(NamedTuple):
    css: str
    outcome: str
    y: float
    height: float


class Bar(NamedTuple):
    """A day: x and width in percent; the parts in pixels, what did not go well below the line."""

    day: Day
    x: float
    width: float
    parts: Sequence[Part]
    top: float

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)

    @property
    def title(self) -> str:
        return f"{self.day.day.day} {self.day.day:%B}: {counts_in_words(self.day.counts)}"


class DateTick(NamedTuple):
    x: float
    day: date


@dataclass(frozen=True, slots=True)
class JobPictures:
    marks: Sequence[Mark]
    levels: Sequence[Level]
    median_y: float | None
    p95_y: float | None
    #: Runs that took longer than the picture is high.
    beyond: int
    bars: Sequence[Bar]
    #: Where the line is that failures hang from.
    line_y: float
    dates: Sequence[DateTick]
    marks_label: str
    bars_label: str
    marks_height: int = MARKS_HEIGHT
    bars_height: int = BARS_HEIGHT

    @property
    def numbered(self) -> bool:
        return len(self.bars) <= MOST_NUMBERED


def draw(history: JobHistory) -> JobPictures:
    shown = _most_telling(history.runs)
    top = _top(history)
    bars, line_y = _bars(history.days)
    words = counts_in_words(history.counts)
    times = history.times
    said = f" Median {duration(times.median)}, 95 of 100 within {duration(times.p95)}." if times.p95 else ""
    return JobPictures(
        [_mark(run, _x(history, run, place, len(shown)), top) for place, run in enumerate(shown)],
        levels(top, MARKS_HEIGHT),
        None if times.median is None else _y(times.median, top),
        None if times.p95 is None else _y(times.p95, top),
        sum(1 for run in history.runs if (run.seconds or 0) > top),
        bars,
        line_y,
        _dates([bar.day.day for bar in bars]),
        f"Durations of {plural(len(shown), 'run')}.{said}",
        f"Outcomes on {plural(len(bars), 'day')}: {words}.",
    )


def counts_in_words(counts: Mapping[str, int]) -> str:
    words = [f"{count:,} {_WORDS.get(outcome, outcome)}" for outcome, count in counts.items()]
    return ", ".join(words) or "no runs"


_WORDS = {"warnings": "with warnings"}


# --- The marks ------------------------------------------------------------------------------------------------


def _most_telling(runs: Sequence[Ended]) -> Sequence[Ended]:
    """Return the runs to draw: of too many, what failed and what took longest, and the rest evenly."""
    if len(runs) <= MOST_MARKS:
        return runs
    numbers = range(len(runs))
    bad = [number for number in numbers if runs[number].bad][-MOST_BAD:]
    slow = sorted(numbers, key=lambda number: runs[number].seconds or 0)[-MOST_SLOW:]
    chosen = {*bad, *slow}
    room = MOST_MARKS - len(chosen)
    chosen.update(len(runs) * number // room for number in range(room))
    return [runs[number] for number in sorted(chosen)]


def _top(history: JobHistory) -> float:
    """Return the seconds at the top of the picture."""
    longest = max((run.seconds or 0 for run in history.runs), default=0) or 1.0
    p95 = history.times.p95
    # A little air above the highest mark.
    return min(longest, HIGHEST * p95 if p95 else longest) * 1.08


def _x(history: JobHistory, run: Ended, place: int, count: int) -> float:
    """By the time, above the bar of its day; without days one after the other."""
    if history.since is None:
        return round(100 * (place + 0.5) / count, 2)
    whole = (history.until - history.since).total_seconds()
    return round(100 * (run.created_at - history.since).total_seconds() / whole, 2)


def _y(seconds: float, top: float) -> float:
    return round(MARKS_HEIGHT * (1 - min(seconds, top) / top), 1)


def _mark(run: Ended, x: float, top: float) -> Mark:
    # Inside by as much as a mark is wide.
    y = max(4.0, min(MARKS_HEIGHT - 4.0, _y(run.seconds or 0, top)))
    return Mark(run.id, run.outcome, x, y, run.seconds, run)


# --- The days -------------------------------------------------------------------------------------------------


def _bars(days: Sequence[Day]) -> tuple[list[Bar], float]:
    """Return the bars, and where their line is."""
    below = max((_bad(day) for day in days), default=0)
    above = max((day.total - _bad(day) for day in days), default=0)
    room = BARS_HEIGHT - 14  # for the numbers above
    scale = room / ((above + below) or 1)
    line_y = round(14 + above * scale, 1)
    wide = 100 / (len(days) or 1)
    return [_bar(day, place * wide, wide, line_y, scale) for place, day in enumerate(days)], line_y


def _bad(day: Day) -> int:
    return sum(day.counts.get(outcome, 0) for outcome in BAD)


def _bar(day: Day, x: float, wide: float, line_y: float, scale: float) -> Bar:
    parts, up, down = [], line_y, line_y
    for outcome, count in day.counts.items():
        # At least a line; and a gap between two parts, so that it is not their colour alone that tells them apart.
        height = max(2.0, round(count * scale, 1))
        css = OUTCOMES[outcome].css
        if outcome in BAD:
            parts.append(Part(css, outcome, round(down + 1, 1), round(height - 1, 1)))
            down += height
        else:
            up -= height
            parts.append(Part(css, outcome, round(up, 1), round(height - 1, 1)))
    width = min(wide * 0.8, WIDEST)
    return Bar(day, round(x + (wide - width) / 2, 2), round(width, 2), parts, round(up, 1))


def _dates(days: Sequence[date]) -> list[DateTick]:
    """Return the days to name below: the first and others as far apart, each in the middle of its bar."""
    step = -(-len(days) // MOST_DATES) or 1
    wide = 100 / (len(days) or 1)
    return [DateTick(round((place + 0.5) * wide, 2), days[place]) for place in range(0, len(days), step)]

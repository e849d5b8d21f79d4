"""The next 24 hours of all schedules as a picture: one lane a queue, one mark a planned run, as wide as it usually takes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import islice

from store.timing.recurrence import Recurrence

HOURS = 24
LEFT, RIGHT, TOP, LANE = 80.0, 1112.0, 28, 36
MARK_HEIGHT = 16
NARROWEST = 2.5
#: What is over sooner keeps no worker from anybody.
SHORT_SECONDS = 30
#: Of one schedule; one that fires more often fills its lane anyway.
MOST_MARKS = 1_500
#: Of all together: when there are as many, those that fire most often are left out.
MOST_IN_ALL = 8_000
#: One that fires more often is drawn lightly.
OFTEN = 24
MOST_LEVELS = 4


@dataclass(frozen=True, slots=True)
class Planned:
    """What one schedule is going to do."""

    queue: str
    times: Recurrence
    #: The last slot that was dealt with, or when it begins.
    after: datetime
    usual_seconds: float


@dataclass(slots=True)
class Lane:
    """The runs of one queue. paths: {css: outline of the marks}; light ones are of schedules that fire often."""

    name: str
    y: int
    paths: dict[tuple[str, bool], str] = field(default_factory=dict)

    def add(self, css: str, light: bool, begin: float, end: float, y: float, height: float) -> None:
        width = end - begin
        outline = f"M{begin:.1f} {y:g}h{width:.1f}v{height:g}h-{width:.1f}z"
        self.paths[css, light] = self.paths.get((css, light), "") + outline


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    lanes: list[Lane]
    ticks: list[Tick]
    count: int
    #: Runs for which there may be no worker free: (queue, how many).
    crowded: list[tuple[str, int]]
    #: Schedules that fire so often that they are not drawn.
    left_out: int

    @property
    def height(self) -> int:
        return TOP - 8 + LANE * len(self.lanes) + 6

    @property
    def label(self) -> str:
        words = f"{self.count} planned run{'s' * (self.count != 1)} by queue for the next {HOURS} hours."
        return " ".join([words, *(f"{many} may have to wait on {queue}." for queue, many in self.crowded)])


@dataclass(frozen=True, slots=True)
class _Mark:
    begin: float
    end: float
    light: bool
    #: It keeps a worker for a while.
    long: bool


def timeline(planned: Iterable[Planned], at: datetime, workers: Mapping[str, int]) -> Timeline:
    """Draw what is planned from `at` on. workers: how many take from each queue."""
    marks: dict[str, list[_Mark]] = {}
    firing, left_out = _firing(planned, at)
    count = 0
    for each, slots in firing:
        found = _marks(each, slots, at)
        count += len(found)
        marks.setdefault(each.queue, []).extend(found)
    lanes, crowded = [], []
    for number, (queue, found) in enumerate(sorted(marks.items())):
        lane = Lane(queue, TOP + LANE * number)
        if many := _draw(lane, found, workers.get(queue, 0)):
            crowded.append((queue, many))
        lanes.append(lane)
    return Timeline(
        lanes,
        list(_ticks(at)),
        count,
        crowded,
        left_out,
    )


def _ticks(at: datetime) -> Iterator[Tick]:
    """Yield every third whole hour from `at` on."""
    whole = at.replace(minute=0, second=0, microsecond=0)
    first = whole if whole == at else whole + timedelta(hours=1)
    for hours in range(0, HOURS, 3):
        tick = first + timedelta(hours=hours)
        yield Tick(_x((tick - at).total_seconds()), tick)


def _firing(planned: Iterable[Planned], at: datetime) -> tuple[list[tuple[Planned, list[datetime]]], int]:
    """Return who fires when, and how many are left out."""
    until = at + timedelta(hours=HOURS, microseconds=-1)
    seldom: list[tuple[Planned, list[datetime]]] = []
    often = []
    for each in planned:
        slots = each.times.slots(max(each.after, at - timedelta(seconds=1)), until)
        first = list(islice(slots, OFTEN + 1))
        if len(first) <= OFTEN:
            seldom.append((each, first))
        else:
            often.append((each, first, slots))
    # The less often, the sooner: those that fire most often look all the same in a picture.
    often.sort(key=lambda one: one[1][0] - one[1][-1])
    firing, room = list(seldom), MOST_IN_ALL - sum(len(slots) for _, slots in seldom)
    for each, first, rest in often:
        if room <= 0:
            break
        first += islice(rest, MOST_MARKS - len(first))
        firing.append((each, first))
        room -= len(first)
    return firing, len(seldom) + len(often) - len(firing)


def _marks(planned: Planned, slots: Sequence[datetime], at: datetime) -> list[_Mark]:
    light, long = len(slots) > OFTEN, planned.usual_seconds >= SHORT_SECONDS
    marks = []
    for slot in slots:
        begin = _x((slot - at).total_seconds())
        end = min(_x((slot - at).total_seconds() + planned.usual_seconds), RIGHT)
        marks.append(_Mark(begin, end, light, long))
    return marks


def _x(seconds: float) -> float:
    return LEFT + (RIGHT - LEFT) * seconds / (HOURS * 3600)


def _draw(lane: Lane, marks: Sequence[_Mark], workers: int) -> int:
    """Draw a lane; return how many of its runs come when all workers are busy."""
    crowded = 0
    for group in _groups(sorted(marks, key=lambda mark: (mark.begin, mark.end))):
        levels = _levels(group)
        rows = max(levels) + 1
        height = (MARK_HEIGHT - (rows - 1)) / rows
        drawn: dict[tuple[str, bool, int], list[tuple[float, float]]] = {}
        busy: list[float] = []
        for mark, level in zip(group, levels, strict=True):
            while busy and busy[0] <= mark.begin:
                heappop(busy)
            waits = 0 < workers <= len(busy)
            crowded += waits
            if mark.long:
                heappush(busy, mark.end)
            _join(drawn.setdefault(("is-warn" if waits else "is-run", mark.light, level), []), mark)
        for (css, light, row), spans in drawn.items():
            for begin, end in spans:
                lane.add(css, light, begin, end, lane.y + row * (height + 1), height)
    return crowded


def _join(spans: list[tuple[float, float]], mark: _Mark) -> None:
    """Add a mark; one that touches the last is drawn with it, for a picture of a thousand marks would be heavy."""
    end = max(mark.end, mark.begin + NARROWEST)
    if spans and mark.begin <= spans[-1][1]:
        spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
    else:
        spans.append((mark.begin, end))


def _groups(marks: Sequence[_Mark]) -> Iterable[list[_Mark]]:
    """Yield marks that touch each other, together."""
    group: list[_Mark] = []
    end = 0.0
    for mark in marks:
        if group and mark.begin >= end:
            yield group
            group = []
        group.append(mark)
        end = max(end, mark.end, mark.begin + NARROWEST)
    if group:
        yield group


def _levels(group: Sequence[_Mark]) -> list[int]:
    """Return the row for each mark: the lowest in which no other is under way when it begins, or else the last."""
    rows: list[float] = []
    levels = []
    for mark in group:
        row = next((number for number, end in enumerate(rows) if end <= mark.begin), len(rows))
        if row == MOST_LEVELS:
            levels.append(row - 1)
            continue
        rows[row : row + 1] = [max(mark.end, mark.begin + 0.01)]
        levels.append(row)
    return levels

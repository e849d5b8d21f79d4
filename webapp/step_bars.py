"""When each part of a run began and ended: its groupings as bars, or for a run that asked for others, those."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import load_only

from store.models import LEVELS, EntryGroup, JobResult
from webapp.children import of_parent
from webapp.database import db
from webapp.looks import Look, look

#: More lines nobody reads: the longest are drawn.
MOST_LINES = 20

#: Stretches of a log that are looked at, and children.
MOST_STRETCHES = 5_000

#: Of a bar, in percent: what is over at once is seen, too.
NARROWEST = 0.4


class Span(NamedTuple):
    begin: datetime
    end: datetime


class Step(NamedTuple):
    """One line. Places are in percent of the run: of all of it, and of the stretches in which it went on."""

    name: str
    css: str
    icon: str
    word: str
    x: float
    width: float
    parts: Sequence[tuple[float, float]]
    begins_seconds: float
    seconds: float
    #: Of the entry it begins with; of a child the run itself.
    first_seq: int = 0
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    #: In the order in which they began.
    lines: Sequence[Step]
    #: From the beginning of the picture to its end.
    seconds: float
    left_out: int
    #: The lines are runs.
    runs: bool = False
    #: There is more to the log than was looked at, which is so many stretches.
    cut: int = 0


@dataclass(slots=True)
class _Grouping:
    name: str
    first_seq: int
    spans: list[Span]
    failures: int = 0
    warnings: int = 0

    @property
    def whole(self) -> Span:
        # Attempts and threads may overlap: the last stretch need not be the one that ends last.
        return Span(min(span.begin for span in self.spans), max(span.end for span in self.spans))

    @property
    def look(self) -> Look:
        if self.failures:
            return Look("is-bad", "bad", f"{self.failures:,} failure{'s' * (self.failures != 1)}")
        if self.warnings:
            return Look("is-warn", "warn", f"{self.warnings:,} warning{'s' * (self.warnings != 1)}")
        return Look("is-run", "", "")


def steps_of(result: JobResult) -> Steps | None:
    """Return the bars of a run that has ended; None where there are not two parts to compare."""
    return _children(result) if result.gathers else _groupings(result)


# --- Groupings ------------------------------------------------------------------------------------------------


def _groupings(result: JobResult) -> Steps | None:
    query = select(EntryGroup).where(EntryGroup.result_id == result.id).order_by(EntryGroup.first_seq)
    stretches = db.session.scalars(query.limit(MOST_STRETCHES + 1)).all()
    found: dict[str, _Grouping] = {}
    for stretch in stretches[:MOST_STRETCHES]:
        grouping = found.setdefault(stretch.name, _Grouping(stretch.name, stretch.first_seq, []))
        grouping.spans.append(Span(stretch.started_at, stretch.last_at))
        families = stretch.families
        grouping.failures += families["failure"]
        grouping.warnings += families["warning"]
    if len(found) < 2:
        return None
    wholes = [grouping.whole for grouping in found.values()]
    frame = _frame(result, wholes)
    longest = sorted(found.values(), key=lambda one: one.whole.begin - one.whole.end)[:MOST_LINES]
    lines = [
        _step(one.name, one.look, one.whole, one.spans, frame, first_seq=one.first_seq)
        for one in sorted(longest, key=lambda one: one.first_seq)
    ]
    cut = MOST_STRETCHES if len(stretches) > MOST_STRETCHES else 0
    return Steps(lines, _seconds(frame), len(found) - len(lines), cut=cut)


# --- What it asked for ----------------------------------------------------------------------------------------


def _children(result: JobResult) -> Steps | None:
    began, ended = JobResult.started_at, JobResult.finished_at
    shown = load_only(
        JobResult.map_number,
        JobResult.name,
        JobResult.status,
        JobResult.started_at,
        JobResult.finished_at,
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    )
    ran = (began.is_not(None), ended.is_not(None))
    query = of_parent(result.id).where(*ran).options(shown).order_by(JobResult.map_number)
    rows = db.session.scalars(query.limit(MOST_STRETCHES)).all()
    if len(rows) < 2:
        return None
    total = db.session.scalar(of_parent(result.id, func.count()).where(*ran)) or 0
    spans = {row.id: Span(row.started_at, max(row.started_at, row.finished_at)) for row in rows}
    frame = _frame(result, list(spans.values()))
    longest = sorted(rows, key=lambda row: spans[row.id].begin - spans[row.id].end)[:MOST_LINES]
    lines = []
    for row in sorted(longest, key=lambda row: spans[row.id].begin):
        span = spans[row.id]
        name = f"{row.map_number}: {row.name} #{row.short_id}"
        lines.append(_step(name, look(row), span, [span], frame, run_id=row.id))
    return Steps(lines, _seconds(frame), total - len(lines), runs=True)


# --- Drawing --------------------------------------------------------------------------------------------------


def _frame(result: JobResult, wholes: Sequence[Span]) -> Span:
    """Return the time that is drawn: the run's, and what was logged before or after it."""
    begins = [whole.begin for whole in wholes]
    ends = [whole.end for whole in wholes]
    if result.started_at is not None and not result.gathers:
        begins.append(result.started_at)
    if result.finished_at is not None:
        ends.append(result.finished_at)
    return Span(min(begins), max(ends))


def _step(
    name: str,
    shown: Look,
    whole: Span,
    spans: Sequence[Span],
    frame: Span,
    *,
    first_seq: int = 0,
    run_id: UUID | None = None,
) -> Step:
    x, width = _place(whole, frame)
    return Step(
        name,
        shown.css,
        shown.icon,
        shown.word,
        x,
        width,
        _joined(_place(span, frame) for span in sorted(spans)),
        begins_seconds=(whole.begin - frame.begin).total_seconds(),
        seconds=_seconds(whole),
        first_seq=first_seq,
        run_id=run_id,
    )


def _place(span: Span, frame: Span) -> tuple[float, float]:
    whole = _seconds(frame) or 1.0
    width = max(NARROWEST, 100 * _seconds(span) / whole)
    x = min(100 * (span.begin - frame.begin).total_seconds() / whole, 100 - width)
    return round(x, 2), round(width, 2)


def _joined(places: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return them with those that touch as one: thousands of stretches are a few bars."""
    joined: list[tuple[float, float]] = []
    for x, width in places:
        if joined and x <= joined[-1][0] + joined[-1][1]:
            begin, before = joined[-1]
            joined[-1] = (begin, round(max(before, x + width - begin), 2))
        else:
            joined.append((x, width))
    return joined


def _seconds(span: Span) -> float:
    return (span.end - span.begin).total_seconds()

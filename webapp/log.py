"""A result's log as pages show it: never whole, but a window that can be moved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal_column, or_, select
from werkzeug.datastructures import MultiDict

from store.html import text_length
from store.models import FAMILIES, FAMILY_OF, EntryGroup, JobResult, LogEntry, Status, now
from store.text import clean_text
from webapp.database import db

#: A page opens with so many lines.
WINDOW = 100
#: No answer holds more.
MOST_LINES = 500
#: A page that has fallen so far behind a run goes on with its last lines: who follows wants to see what happens now.
MOST_BEHIND = 4 * MOST_LINES
#: A filter looks through so many entries at a time, so that a rare level in a long log cannot stall a page.
SCAN = 20_000
#: That the summary names, the first ones.
MOST_FAILURES = 5
LONGEST_SEARCH = 100
ONLY_FAILURES = ("failure",)
#: Written out: only so a database takes the index of failures (see store.models.entry).
_IS_FAILURE = or_(*(LogEntry.level == literal_column(f"'{level}'") for level in FAMILIES["failure"]))

#: Longer ones, or ones of more lines, are folded.
LONGEST_ENTRY = 4_000
MOST_ENTRY_LINES = 40

#: Milliseconds between polls: while lines arrive, when they are rare, when there are none.
BUSY, CALM, IDLE = 300, 1000, 3000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are wanted. Without `families` all are, and the page hides those whose level is off."""

    families: tuple[str, ...] = ()
    find: str = ""
    #: As the API asks for them, one by one.
    levels: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.families or self.find or self.levels)

    @property
    def scans(self) -> bool:
        """Whether a database has to look at lines that do not fit: of failures alone it has an index."""
        return bool(self.find or self.levels or (self.families and self.families != ONLY_FAILURES))

    def conditions(self) -> list[ColumnElement[bool]]:
        wanted: list[ColumnElement[bool]] = []
        if self.families:
            levels = [level for family in self.families for level in FAMILIES[family]]
            wanted.append(LogEntry.level.in_(levels))
        if self.levels:
            wanted.append(LogEntry.level.in_(self.levels))
        if self.find:
            # SQLite knows large and small of ASCII alone; of other letters it is told both.
            spellings = {self.find} if self.find.isascii() else {self.find.lower(), self.find.upper()}
            either = [LogEntry.message.icontains(text, autoescape=True) for text in sorted(spellings)]
            wanted.append(or_(*either))
        return wanted


class Entry(NamedTuple):
    """An entry as far as the log shows it: without what was logged, which is there as HTML."""

    seq: int
    created_at: datetime
    level: str
    html: str
    object_text: str | None
    object_url: str | None

    @property
    def family(self) -> str:
        return FAMILY_OF[self.level]

    @property
    def tall(self) -> bool:
        # Rendered, a line ends as it did before; only between paragraphs an empty one is gone.
        return text_length(self.html) > LONGEST_ENTRY or self.html.count("\n") >= MOST_ENTRY_LINES


class Line(NamedTuple):
    """A row of the log: a heading (`group`) or an entry."""

    entry: Entry | None = None
    group: EntryGroup | None = None
    #: The heading stands for lines above, which are not shown.
    continued: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as the summary tells it: what the entry says first."""

    seq: int
    text: str
    object_text: str | None
    object_url: str | None


@dataclass(frozen=True, slots=True)
class Window:
    lines: list[Line]
    #: The first and the last number looked at; what lies outside may hold more.
    first_seq: int
    last_seq: int
    earlier: bool
    later: bool

    @property
    def entry_count(self) -> int:
        return sum(1 for line in self.lines if line.entry)

    @property
    def whole(self) -> bool:
        """Whether all that fits is in it."""
        return not (self.earlier or self.later)


def read_filter(arguments: MultiDict[str, str]) -> Filter:
    """Read the filter of a request. All levels chosen is the same as none."""
    families = asked_families(arguments)
    find = clean_text(arguments.get("q", "")).strip()[:LONGEST_SEARCH]
    return Filter(() if len(families) == len(FAMILIES) else families, find)


def asked_families(arguments: MultiDict[str, str]) -> tuple[str, ...]:
    """Return the levels that a request names, in the order in which pages show them."""
    return tuple(family for family in FAMILIES if family in arguments.getlist("level"))


def number(text: str | None) -> int | None:
    """Return the line number that a request names; None for anything else."""
    if text is not None and text.isascii() and text.isdecimal() and len(text) <= 9:
        return int(text)
    return None


def tail(result: JobResult, wanted: Filter, lines: int = WINDOW) -> Window:
    return before(result, result.last_seq + 1, wanted, lines)


def around(result: JobResult, seq: int, wanted: Filter) -> Window:
    return after(result, max(0, seq - 1 - WINDOW // 2), wanted, WINDOW)


def after(result: JobResult, seq: int, wanted: Filter, lines: int = MOST_LINES) -> Window:
    """Return the lines that follow line `seq`."""
    until = min(result.last_seq, seq + SCAN) if wanted.scans else result.last_seq
    query = _entries(result, wanted).where(LogEntry.seq > seq, LogEntry.seq <= until)
    entries = _read(query.order_by(LogEntry.seq).limit(lines + 1))
    if len(entries) > lines:
        entries = entries[:lines]
        until = entries[-1].seq
    return _window(result, entries, seq + 1, until)


def before(result: JobResult, seq: int, wanted: Filter, lines: int = WINDOW, floor: int = 0) -> Window:
    """Return the lines that come before line `seq`. floor: the page shows this one already, and those before it."""
    since = max(floor + 1, seq - SCAN) if wanted.scans else floor + 1
    query = _entries(result, wanted).where(LogEntry.seq < seq, LogEntry.seq >= since)
    entries = _read(query.order_by(LogEntry.seq.desc()).limit(lines + 1))[::-1]
    if len(entries) > lines:
        entries = entries[1:]
        since = entries[0].seq
    return _window(result, entries, since, seq - 1, floor)


def first_failures(result: JobResult) -> list[Failure]:
    """Return the entries that say what failed, the first ones first."""
    if not result.families["failure"]:
        return []
    columns: list[Any] = [LogEntry.seq, LogEntry.message, LogEntry.object_text, LogEntry.object_url]
    query = _of(result, Filter(ONLY_FAILURES), columns)
    rows = db.session.execute(query.order_by(LogEntry.seq).limit(MOST_FAILURES))
    return [Failure(seq, first_line(message), *about) for seq, message, *about in rows]


def first_line(message: str) -> str:
    """Return the first line that says something: a traceback, and the fence around it, come after it."""
    lines = (line.strip() for line in message.splitlines())
    return next((line for line in lines if line and not line.startswith("```")), "")


def open_group(result: JobResult, seq: int) -> EntryGroup | None:
    """Return the heading under which line `seq` stands: its counts grow while lines arrive."""
    query = select(EntryGroup).where(EntryGroup.result_id == result.id, EntryGroup.first_seq <= seq)
    return db.session.scalars(query.order_by(EntryGroup.first_seq.desc()).limit(1)).first()


def last_moment(result: JobResult) -> datetime | None:
    """Return when the run last logged something."""
    last = open_group(result, result.last_seq)
    return last.last_at if last else None


def interval(result: JobResult, last_at: datetime | None) -> int:
    """Return after how many milliseconds it is worth asking again when there was nothing new this time."""
    if result.status != Status.RUNNING:
        waited = timedelta(seconds=result.waited_seconds)
        return BUSY if waited < timedelta(seconds=10) else CALM
    quiet = now() - (last_at or result.started_at or result.created_at)
    if quiet < timedelta(seconds=3):
        return BUSY
    return CALM if quiet < timedelta(seconds=20) else IDLE


def shown_families(window: Window, linked: int | None) -> set[str]:
    """Return the levels that are on at first: not debug, unless there is nothing else to see, or line `linked` is such."""
    entries = [line.entry for line in window.lines if line.entry]
    only_debug = {entry.family for entry in entries} == {"debug"}
    if only_debug or any(entry.seq == linked and entry.family == "debug" for entry in entries):
        return set(FAMILIES)
    return set(FAMILIES) - {"debug"}


def _entries(result: JobResult, wanted: Filter) -> Select[Any]:
    columns: list[Any] = [
        LogEntry.seq,
        LogEntry.created_at,
        LogEntry.level,
        LogEntry.html,
        LogEntry.object_text,
        LogEntry.object_url,
    ]
    return _of(result, wanted, columns)


def _of(result: JobResult, wanted: Filter, columns: list[Any]) -> Select[Any]:
    query = select(*columns).where(LogEntry.result_id == result.id, *wanted.conditions())
    return query.where(_IS_FAILURE) if wanted.families == ONLY_FAILURES else query


def _read(query: Select[Any]) -> list[Entry]:
    return [Entry(*row) for row in db.session.execute(query)]


def _window(result: JobResult, entries: Sequence[Entry], first: int, last: int, floor: int = 0) -> Window:
    lines = list(_with_headings(result, entries))
    return Window(lines, first, last, earlier=first > floor + 1, later=last < result.last_seq)


def _with_headings(result: JobResult, entries: Sequence[Entry]) -> Iterator[Line]:
    if not entries:
        return
    groups = _groups(result, entries[0].seq, entries[-1].seq)
    shown: EntryGroup | None = None
    for entry in entries:
        while groups and groups[0].first_seq <= entry.seq:
            group = groups.pop(0)
            # A heading whose lines are all filtered out is left out too.
            if not groups or groups[0].first_seq > entry.seq:
                shown = group
                yield Line(group=shown, continued=entry.seq > shown.first_seq)
        yield Line(entry=entry)


def _groups(result: JobResult, first: int, last: int) -> list[EntryGroup]:
    """Return the headings of lines `first` to `last`, with the one that `first` stands under."""
    of_result = EntryGroup.result_id == result.id
    opened = select(func.max(EntryGroup.first_seq)).where(of_result, EntryGroup.first_seq <= first)
    since = func.coalesce(opened.scalar_subquery(), first)
    query = select(EntryGroup).where(of_result, EntryGroup.first_seq >= since, EntryGroup.first_seq <= last)
    return list(db.session.scalars(query.order_by(EntryGroup.first_seq)))

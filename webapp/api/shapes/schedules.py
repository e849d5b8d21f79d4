"""Schedules."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from store.models import MissedSlots, Schedule
from store.timing.blackouts import written
from store.timing.saved import recurrence_of
from webapp.api.shapes import moment, text_id, time
from webapp.history import Run
from webapp.schedule_facts import Line

#: {what a row says: what the API says}; all others are called the same.
INTERVALS = {"future": "once", "custom": "cron"}


class LastRunShape(TypedDict):
    """The newest run of a schedule."""

    id: str
    url: str
    status: str
    user: str
    created_at: str
    started_at: str | None


class ScheduleLine(TypedDict):
    """A schedule in a list."""

    id: str
    url: str
    name: str
    job: str | None
    class_path: str
    #: As whom it runs.
    user: str
    enabled: bool
    #: When it runs, in words.
    words: str
    #: "once", "hourly", "daily", "weekly" or "cron".
    interval: str
    start_at: str
    end_at: str | None
    zone: str
    cron: str
    dialect: str
    #: As they are written: "mon-fri 08:00-18:00".
    blackouts: list[str]
    jitter_seconds: int
    missed: str
    overlap: str
    queue: str
    commit: bool
    #: The slot that it is going to run at next; null: none is to come, or it is paused.
    next_at: str | None
    #: Why it makes no runs at present.
    problem: str | None
    #: How many slots it missed within a day.
    missed_lately: int
    last_run: LastRunShape | None
    total_run_count: int
    switched_by: str | None
    switched_at: str | None
    #: Counts what was changed: give it with a change that is meant for no other one.
    version: int
    created_at: str
    updated_at: str


class MissedShape(TypedDict):
    """Slots, one after the other, that made no runs, all for one reason."""

    id: int
    first_at: str
    last_at: str
    count: int
    cause: str
    noticed_at: str


class ScheduleShape(ScheduleLine):
    """A schedule."""

    #: The inputs of its runs, but for those that nobody may read.
    data: dict[str, Any]
    #: Of those: {name: {"fingerprint", of secrets "length"}}.
    sealed: dict[str, Any]
    #: The next slots; none while it is paused.
    next: list[str]
    #: What it missed last.
    misses: list[MissedShape]


class ScheduleReferenceShape(TypedDict):
    """A schedule for somebody who made it, and may not see it."""

    id: str
    url: str


class SlotShape(TypedDict):
    """A time at which something is to run."""

    at: str
    #: On the clocks of its zone: "Thu 15 May 02:30".
    local: str


class PreviewShape(TypedDict):
    """What a schedule of these times would do."""

    words: str
    next: list[SlotShape]


def schedule_line(line: Line) -> ScheduleLine:
    row = line.schedule
    return {
        "id": str(row.id),
        "url": f"/schedules/{row.id}",
        "name": row.name,
        "job": text_id(row.job_id),
        "class_path": row.class_path,
        "user": row.username,
        "enabled": row.enabled,
        "words": line.words,
        "interval": INTERVALS.get(row.interval, row.interval),
        "start_at": moment(row.start_at),
        "end_at": time(row.end_at),
        "zone": row.zone,
        "cron": row.cron,
        "dialect": row.dialect,
        "blackouts": _blackouts(row),
        "jitter_seconds": row.jitter_seconds,
        "missed": row.missed,
        "overlap": row.overlap,
        "queue": row.queue,
        "commit": row.commit,
        "next_at": time(row.next_slot_at) if row.enabled else None,
        "problem": line.problem or None,
        "missed_lately": line.missed,
        "last_run": _run(line.last) if line.last else None,
        "total_run_count": row.total_run_count,
        "switched_by": row.switched_by,
        "switched_at": time(row.switched_at),
        "version": row.version,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def schedule(line: Line, coming: Iterable[datetime], misses: Iterable[MissedSlots]) -> ScheduleShape:
    return {
        **schedule_line(line),
        "data": line.schedule.data,
        "sealed": line.schedule.sealed_facts or {},
        "next": [moment(slot) for slot in coming],
        "misses": [missed(row) for row in misses],
    }


def schedule_reference(row: Schedule) -> ScheduleReferenceShape:
    return {"id": str(row.id), "url": f"/schedules/{row.id}"}


def missed(row: MissedSlots) -> MissedShape:
    return {
        "id": row.id,
        "first_at": moment(row.first_at),
        "last_at": moment(row.last_at),
        "count": row.count,
        "cause": row.cause,
        "noticed_at": moment(row.noticed_at),
    }


def preview(words: str, coming: Sequence[tuple[str, datetime]]) -> PreviewShape:
    return {"words": words, "next": [{"at": moment(slot), "local": local} for local, slot in coming]}


def _run(run: Run) -> LastRunShape:
    return {
        "id": str(run.id),
        "url": f"/results/{run.id}",
        "status": run.status,
        "user": run.username,
        "created_at": moment(run.created_at),
        "started_at": time(run.started_at),
    }


def _blackouts(row: Schedule) -> list[str]:
    try:
        return written(recurrence_of(row).blackouts).splitlines()
    except ValueError:
        return []  # Its times cannot be read any more, which is what `words` says.

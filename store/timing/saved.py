"""The times of a schedule, and of a repository, as their rows keep them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from functools import lru_cache
from typing import Any

from store.models import GitSource, Schedule, now
from store.timing.blackouts import Blackout
from store.timing.recurrence import Recurrence


def recurrence_of(schedule: Schedule) -> Recurrence:
    """Return when a schedule fires. Raises ValueError where its row cannot mean anything (any more)."""
    return _recurrence(
        schedule.interval,
        schedule.start_at,
        schedule.zone,
        schedule.end_at,
        schedule.cron,
        schedule.dialect,
        tuple(_window(kept) for kept in schedule.blackouts),
        schedule.jitter_seconds,
    )


def plan(source: GitSource) -> None:
    """Write down when the calendar of a repository asks next. Raises ValueError where it cannot be read (any more)."""
    moment = now()
    times = Recurrence("custom", moment, source.zone, cron=source.cron) if source.cron else None
    source.next_sync_at = next(iter(times.next(moment, 1)), None) if times else None


# To read an expression takes longer than to find its next times.
@lru_cache(maxsize=2_000)
def _recurrence(*facts: Any) -> Recurrence:
    return Recurrence(*facts)


def keep_times(schedule: Schedule, recurrence: Recurrence) -> None:
    """Write on a row when it fires."""
    schedule.interval, schedule.zone = recurrence.interval, recurrence.zone
    schedule.start_at, schedule.end_at = recurrence.start, recurrence.end
    schedule.cron, schedule.dialect = recurrence.cron, recurrence.dialect
    schedule.blackouts = kept_windows(recurrence.blackouts)
    schedule.jitter_seconds = recurrence.jitter_seconds


def kept_windows(blackouts: Iterable[Blackout]) -> list[dict[str, Any]]:
    return [
        {
            "weekdays": sorted(blackout.weekdays),
            "begins": blackout.begins.isoformat("minutes"),
            "ends": blackout.ends.isoformat("minutes"),
        }
        for blackout in blackouts
    ]


def _window(kept: dict[str, Any]) -> Blackout:
    return Blackout(
        frozenset(kept["weekdays"]), time.fromisoformat(kept["begins"]), time.fromisoformat(kept["ends"])
    )


def cursor(schedule: Schedule, recurrence: Recurrence, last_slot: datetime | None) -> dict[str, Any]:
    """Return the columns that say up to where a schedule was dealt with, and when it is to be looked at again."""
    following = recurrence.following(last_slot)
    wakes_at = following + recurrence.jitter(str(schedule.id), following) if following else None
    return {"last_slot_at": last_slot, "next_slot_at": following, "wakes_at": wakes_at}


def blackouts_in_words(schedule: Schedule) -> Sequence[str]:
    return [_window(kept).in_words() for kept in schedule.blackouts]

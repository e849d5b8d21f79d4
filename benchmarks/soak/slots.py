"""What must hold of schedules whatever was killed, asked of plain facts: what is wrong comes back as sentences.

Which slots there are is worked out here from what a schedule says alone, by cronsim and by adding up hours: nothing of
`store.timing` has a part in it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from benchmarks.soak.check import Claim, Finding
from store.models import Status
from worker.firing import DOWN, STANDS_FOR
from worker.schedules import Timetable

#: Why a slot was missed that passed before there was any scheduler.
PASSED = {"skip": DOWN, "once": STANDS_FOR, "all": None}


@dataclass(frozen=True, slots=True)
class Wish:
    """A schedule that is to make runs: under which timetable, and whether its job can be run at all."""

    timetable: Timetable
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Missed:
    """One line of slots that made no runs."""

    first: datetime
    last: datetime
    count: int
    cause: str


@dataclass(frozen=True, slots=True)
class Fired:
    """One run that a schedule made."""

    key: str | None
    slot: datetime | None
    status: str


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is stored of what became of one schedule."""

    runs: Sequence[Fired] = ()
    missed: Sequence[Missed] = ()
    #: How many runs it says it has made.
    counted: int = 0


def slots_of(timetable: Timetable, end: datetime) -> list[datetime]:
    """Return the slots that a timetable has up to `end` (UTC), in order."""
    times = timetable.times
    if times.interval == "future":
        return [times.start] if times.start <= end else []
    if times.interval == "hourly":
        hours = int((end - times.start) / timedelta(hours=1)) if end >= times.start else -1
        return [times.start + timedelta(hours=number) for number in range(hours + 1)]
    fields = times.cron.split()
    if len(fields) == 6:
        fields = [*fields[5:], *fields[:5]]  # cronsim has the seconds first.
    before = (times.start - timedelta(seconds=1)).astimezone(ZoneInfo(times.zone))
    found = []
    for local in CronSim(" ".join(fields), before):
        slot = local.astimezone(UTC)
        if slot > end:
            break
        found.append(slot)
    return found


def check(name: str, wish: Wish, kept: Kept, begin: datetime, end: datetime) -> Iterator[Finding]:
    """Yield all that is wrong with one schedule whose slots have all been dealt with.

    begin, end: in this time schedulers were there to fire; what passed before is to be missed, or made up for.
    """
    slots = slots_of(wish.timetable, end)
    yield from _check_runs(name, wish, kept, slots)
    lines: Counter[datetime] = Counter()
    for line in kept.missed:
        covered = [slot for slot in slots if line.first <= slot <= line.last]
        lines.update(covered)
        if len(covered) != line.count:
            yield Finding(
                Claim.UNTRUE, f"{name} says it missed {line.count} slots, and there were {len(covered)}."
            )
        for slot in covered:
            if problem := _untruth(wish, line, slot, begin):
                yield Finding(Claim.UNTRUE, f'{name} missed {slot}, "{line.cause}", but {problem}.')
    ran = Counter(run.slot for run in kept.runs if run.slot)
    for slot in slots:
        times = ran[slot] + lines[slot]
        if times == 0:
            yield Finding(Claim.LOST, f"{name} has neither run nor missed {slot}.")
        elif times > 1:
            yield Finding(
                Claim.DOUBLE, f"{name} has run {slot} {ran[slot]} times and missed it {lines[slot]} times."
            )
    passed = [slot for slot in slots if slot < begin and ran[slot]]
    if (wish.timetable.missed == "skip" and passed) or (wish.timetable.missed == "once" and len(passed) > 1):
        yield Finding(
            Claim.DOUBLE, f"{name} has made up for {len(passed)} slots, and was to: {wish.timetable.missed}."
        )


def _check_runs(name: str, wish: Wish, kept: Kept, slots: Sequence[datetime]) -> Iterator[Finding]:
    planned = set(slots) if wish.enabled else set()
    for run in kept.runs:
        if run.slot is None or run.slot not in planned:
            yield Finding(Claim.DOUBLE, f"{name} has run {run.slot}, which was not to be.")
        elif run.key != f"slot {run.slot.isoformat()}":
            yield Finding(Claim.UNTRUE, f'{name} calls the run of {run.slot} "{run.key}".')
    if kept.counted != len(kept.runs):
        yield Finding(Claim.UNTRUE, f"{name} says it made {kept.counted} runs, and has {len(kept.runs)}.")
    # Nobody executes them here, so all of them wait, but for those that may not be beside another one.
    waiting = sum(run.status == Status.PENDING for run in kept.runs)
    most = 1 if wish.timetable.overlap in ("skip", "replace") else len(kept.runs)
    if waiting != min(most, len(kept.runs)):
        yield Finding(
            Claim.UNTRUE,
            f"{name} has {waiting} runs of {len(kept.runs)} that wait, where an overlap is to: {wish.timetable.overlap}.",
        )


def _untruth(wish: Wish, line: Missed, slot: datetime, begin: datetime) -> str | None:
    """Return what is wrong about a slot's having been missed for this reason."""
    if not wish.enabled:
        return None if line.cause not in (DOWN, STANDS_FOR) and line.cause.strip() else "its job is disabled"
    known = (DOWN, STANDS_FOR) if slot >= begin else (PASSED[wish.timetable.missed],)
    return None if line.cause in known else f"it was to: {wish.timetable.missed}"


def overdue(wish: Wish, kept: Kept, begin: datetime, end: datetime) -> int:
    """Return how many slots were missed though there were schedulers: these were more than a minute behind."""
    if not wish.enabled:
        return 0
    slots = [slot for slot in slots_of(wish.timetable, end) if slot >= begin]
    return sum(line.first <= slot <= line.last for line in kept.missed for slot in slots)

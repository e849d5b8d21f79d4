"""Schedulers are killed at random while thousands of schedules fire: each slot makes one run, or one miss with its reason."""

import functools
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from benchmarks.figures import Figure, WentWrong, percentile
from benchmarks.many_schedules import Wanted, add_schedules
from benchmarks.site import Site
from benchmarks.soak.check import Claim, Finding
from benchmarks.soak.crew import Crew
from benchmarks.soak.run import Ground
from benchmarks.soak.slots import Fired, Kept, Missed, Wish, check, overdue, slots_of
from benchmarks.waiting import until
from store.models import JobRecord, JobResult, MissedSlots, Schedule, now
from store.timing.recurrence import Recurrence
from worker.schedules import Timetable

SCHEDULERS = ("scheduler 1", "scheduler 2", "scheduler 3")

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Sydney", "Pacific/Chatham")
OVERLAPS = ("skip", "wait", "replace", "allow")
MISSED = ("once", "skip", "all")

#: Kinds of times, and how often one is chosen compared to the others.
KINDS = {"future": 5, "hourly": 5, "now and then": 3, "seconds": 2, "each minute": 1}

#: Nobody works on it: to have the runs executed as well would only take the schedulers' time.
QUEUE = "apart"
JOB, DISABLED_JOB = "NoOp", "Began"

#: Of so many schedules one is of a job that cannot be run, and one has slots from before there was a scheduler.
ONE_IN_DISABLED = 40
ONE_IN_PASSED = 10

#: Until the first slot: the schedules are stored meanwhile, and the schedulers start.
START_SECONDS = 8
SCHEDULES_A_SECOND = 800

#: Between two kills; how long who was killed is away; and one kill in so many is of all of them.
MOST_PAUSE_SECONDS = 6.0
MOST_AWAY_SECONDS = 2.0
ONE_IN_ALL = 8

#: When the last slot has come, so much later at the latest all have been dealt with.
PATIENCE_SECONDS = 300.0

MOST_LATE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    slots: int
    runs: int
    missed: int
    #: Of the missed ones: the schedulers were behind.
    overdue: int
    kills: int
    broken: Counter[Claim]
    #: From its slot to its run, of each that came while there were schedulers.
    late: Sequence[float]
    #: From the first slot in that time until all were dealt with.
    seconds: float
    deserters: int
    strays: int


def schedules(ground: Ground) -> Iterable[Figure]:
    with ground.site() as site:
        yield from figures(_soak(site, ground))


def _soak(site: Site, ground: Ground) -> Outcome:
    chance = random.Random(ground.plan.seed)
    lead = START_SECONDS + ground.plan.schedules // SCHEDULES_A_SECOND
    begin = now().replace(microsecond=0) + timedelta(seconds=lead)
    end = begin + timedelta(seconds=ground.plan.seconds)
    wishes = [wish(chance, number, begin, end) for number in range(ground.plan.schedules)]
    by_id = _store(site, wishes)
    crew = Crew(site, {name: functools.partial(site.start, "scheduler") for name in SCHEDULERS})
    kills = _kill_until_done(site, crew, chance, end)
    finished = now()
    strays = crew.end()
    kept = _kept(site)
    findings: list[Finding] = []
    for schedule_id, one in by_id.items():
        findings += check(one.timetable.name, one, kept[schedule_id], begin, end)
    for words in [f"{finding.claim}: {finding.what}" for finding in findings] + crew.deserters:
        ground.say(words)
    return Outcome(
        slots=sum(len(slots_of(one.timetable, end)) for one in wishes),
        runs=sum(len(each.runs) for each in kept.values()),
        missed=sum(line.count for each in kept.values() for line in each.missed),
        overdue=sum(overdue(one, kept[key], begin, end) for key, one in by_id.items()),
        kills=kills,
        broken=Counter(finding.claim for finding in findings),
        late=_late(site, begin),
        seconds=(finished - begin).total_seconds(),
        deserters=len(crew.deserters),
        strays=len(strays),
    )


def wish(chance: random.Random, number: int, begin: datetime, end: datetime) -> Wish:
    """Return the schedule with this number, whose slots are over at `end`; one in a few begins long before `begin`."""
    slot = begin + timedelta(seconds=chance.randrange(max(1, int((end - begin).total_seconds()))))
    zone = chance.choice(ZONES)
    if number % ONE_IN_PASSED == 0:
        times = Recurrence("hourly", slot - timedelta(hours=chance.randint(1, 4)), zone, end)
    else:
        times = _times(chance, slot, zone, begin, end)
    timetable = Timetable(f"Schedule {number}", times, chance.choice(MISSED), chance.choice(OVERLAPS))
    return Wish(timetable, enabled=number % ONE_IN_DISABLED != 1)


def _times(chance: random.Random, slot: datetime, zone: str, begin: datetime, end: datetime) -> Recurrence:
    [kind] = chance.choices(list(KINDS), list(KINDS.values()))
    if kind in ("future", "hourly"):
        return Recurrence(kind, slot, zone, end)
    cron, dialect = "* * * * *", "nautobot"
    if kind == "now and then":
        local = slot.astimezone(ZoneInfo(zone))
        cron = f"{local.minute},{chance.randrange(60)} {local.hour} * * *"
    elif kind == "seconds":
        cron, dialect = f"*/2 * * * * {slot.second}", "jobschleuder"
    return Recurrence("custom", begin, zone, end, cron, dialect)


def _store(site: Site, wishes: Sequence[Wish]) -> Mapping[UUID, Wish]:
    with site.platform.session() as db:
        db.execute(update(JobRecord).where(JobRecord.class_name == DISABLED_JOB).values(enabled=False))
        db.commit()
    wanted = [Wanted(JOB if one.enabled else DISABLED_JOB, one.timetable) for one in wishes]
    return dict(zip(add_schedules(site, wanted, queue=QUEUE), wishes, strict=True))


def _kill_until_done(site: Site, crew: Crew, chance: random.Random, end: datetime) -> int:
    """Kill schedulers until the last slot has come; return how many when nothing is left to be dealt with."""
    kills, next_at = 0, time.monotonic()

    def done() -> bool:
        nonlocal kills, next_at
        crew.keep_up()
        if now() > end:
            return not _waking(site)
        if time.monotonic() >= next_at:
            there = [name for name in SCHEDULERS if name in crew.members]
            chosen = there if chance.randrange(ONE_IN_ALL) == 0 else chance.sample(there, min(1, len(there)))
            for name in chosen:
                crew.kill(name, away_seconds=chance.uniform(0, MOST_AWAY_SECONDS))
            kills += len(chosen)
            next_at = time.monotonic() + chance.uniform(0, MOST_PAUSE_SECONDS)
        return False

    # What has not been dealt with by then is counted as lost.
    seconds = (end - now()).total_seconds() + PATIENCE_SECONDS
    with suppress(WentWrong):
        until(done, "all slots are dealt with", seconds=seconds, pause=0.1)
    return kills


def _waking(site: Site) -> int:
    with site.platform.reading() as db:
        query = select(func.count()).where(Schedule.enabled, Schedule.wakes_at.is_not(None))
        return db.scalar(query) or 0


def _kept(site: Site) -> Mapping[UUID, Kept]:
    """Return what became of each schedule."""
    runs: dict[UUID | None, list[Fired]] = {}
    missed: dict[UUID, list[Missed]] = {}
    with site.platform.reading() as db:
        columns = (JobResult.origin_id, JobResult.origin_key, JobResult.slot_at, JobResult.status)
        for origin_id, key, slot, status in db.execute(select(*columns)):
            runs.setdefault(origin_id, []).append(Fired(key, slot, status))
        for line in db.scalars(select(MissedSlots)):
            each = Missed(line.first_at, line.last_at, line.count, line.cause)
            missed.setdefault(line.schedule_id, []).append(each)
        counted = db.execute(select(Schedule.id, Schedule.total_run_count)).all()
    return {
        schedule_id: Kept(runs.get(schedule_id, ()), missed.get(schedule_id, ()), count)
        for schedule_id, count in counted
    }


def _late(site: Site, begin: datetime) -> Sequence[float]:
    query = select(JobResult.slot_at, JobResult.created_at).where(JobResult.slot_at >= begin)
    with site.platform.reading() as db:
        times = db.execute(query).all()
    return [(created_at - slot).total_seconds() for slot, created_at in times if slot is not None]


def figures(one: Outcome) -> Iterable[Figure]:
    yield Figure(
        label="slots with a run or a miss",
        ours=one.runs + one.missed,
        unit="slots",
        must=f"{one.slots:,}",
        held=one.runs + one.missed == one.slots > 0,
        details={"runs": one.runs, "missed": one.missed},
    )
    yield Figure("kills of schedulers", one.kills, "kills", must="> 0", held=one.kills > 0)
    for claim, label in (
        (Claim.LOST, "slots without a run or a miss"),
        (Claim.DOUBLE, "slots with more than one"),
        (Claim.UNTRUE, "reasons and counts that are not true"),
    ):
        yield _none(label, one.broken[claim])
    yield _none("slots missed because schedulers were behind", one.overdue)
    yield _none("schedulers that ended by themselves", one.deserters)
    yield _none("processes left at the end", one.strays)
    rate = (one.runs + one.missed) / one.seconds
    yield Figure("slots dealt with", rate, "slots/s", must="> 0", held=rate > 0)
    late = one.late or [0.0]
    slowest = max(late)
    yield Figure(
        label="from a slot to its run, slowest",
        ours=slowest,
        unit="s",
        must=f"<= {MOST_LATE_SECONDS:g} s",
        held=slowest <= MOST_LATE_SECONDS,
        details={f"p{percent}": percentile(late, percent) for percent in (50, 95, 99)}
        | {"seen": len(one.late)},
    )


def _none(label: str, count: int) -> Figure:
    return Figure(label, count, "", must="0", held=not count)

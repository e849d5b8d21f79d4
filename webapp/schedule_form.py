"""The part of a form that says when a job runs: read, judged, and shown again with what is wrong in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from store.models import Schedule, now
from store.text import clean_text
from store.timing.blackouts import BadBlackout, Blackout, read_windows, written
from store.timing.checks import checked
from store.timing.recurrence import Recurrence
from store.timing.saved import recurrence_of
from webapp.admin_forms import AdminForm
from worker.schedules import MISSED, OVERLAPS, Timetable, checked_name

#: Names of inputs begin so, as Nautobot's do (NB-46, NB-99).
PREFIX = "_schedule_"

#: {what an input is called: what the checks call it}
FIELDS = {
    "name": "name",
    "interval": "interval",
    "start_time": "start",
    "end_time": "end",
    "zone": "zone",
    "crontab": "cron",
    "dialect": "dialect",
    "jitter": "jitter_seconds",
    "blackouts": "blackouts",
    "missed": "missed",
    "overlap": "overlap",
}

INTERVALS = {
    "hourly": "Every hour",
    "daily": "Every day",
    "weekly": "Every week",
    "custom": "Cron expression",
}
DIALECTS = {
    "nautobot": "Both days must fit",
    "jobschleuder": "Either day fits, and seconds",
    "bots": "Weeks from Monday as 0",
}

#: What the form asks when: at once, once later, or again and again.
NOW, LATER, AGAIN = "now", "later", "cron"

NEXT_SHOWN = 3


@dataclass
class ScheduleForm(AdminForm):
    """What was typed, by the names of the inputs, and what is wrong with it."""

    when: str = NOW
    #: Nobody said which time zone is meant: the reader's own will be.
    own_zone: bool = False

    def given(self, name: str) -> str:
        return self.text(PREFIX + name)

    def wrong(self, name: str) -> str:
        return self.errors.get(PREFIX + name, "")

    def is_moment(self, name: str) -> bool:
        """Tell whether a browser's own input for a date and a time takes what was typed; it would show nothing else."""
        text = self.given(name)
        try:
            return not text or datetime.fromisoformat(text).tzinfo is None
        except ValueError:
            return False

    @property
    def wrong_fields(self) -> list[tuple[str, str]]:
        """The inputs that need a change: (id, sentence)."""
        return list(self.errors.items())


def form_words() -> dict[str, Any]:
    """Return the words of what the form offers."""
    return {"intervals": INTERVALS, "dialects": DIALECTS, "missed_words": MISSED, "overlap_words": OVERLAPS}


def empty_form(name: str, zone: str, when: str = NOW) -> ScheduleForm:
    """Return the form for a new schedule."""
    values = {"name": name, "zone": zone, "interval": "daily", "missed": "once", "overlap": "skip"}
    kept = {PREFIX + key: value for key, value in {**values, "dialect": "nautobot"}.items()}
    return ScheduleForm(kept, when=_known(when), own_zone=zone == "UTC")


def read_form(sent: MultiDict[str, str], name: str = "", zone: str = "") -> ScheduleForm:
    """Return what was sent; nothing is judged here. name, zone: for a form that asks about no times."""
    if PREFIX + "name" not in sent and sent.get("_when", NOW) == NOW:
        return empty_form(name, zone or "UTC")
    values = {PREFIX + name: clean_text(sent.get(PREFIX + name, "")).strip() for name in FIELDS}
    return ScheduleForm(values, when=_known(sent.get("_when", NOW)))


def _known(when: str) -> str:
    return when if when in (LATER, AGAIN) else NOW


def form_of(schedule: Schedule) -> ScheduleForm:
    """Return what a schedule says, to be edited."""
    times = recurrence_of(schedule)
    values = {
        "name": schedule.name,
        "interval": schedule.interval,
        "start_time": _local(times.start, times),
        "end_time": _local(times.end, times) if times.end else "",
        "zone": times.zone,
        "crontab": times.cron,
        "dialect": times.dialect,
        "jitter": str(times.jitter_seconds or ""),
        "blackouts": written(times.blackouts),
        "missed": schedule.missed,
        "overlap": schedule.overlap,
    }
    again = LATER if schedule.interval == "future" else AGAIN
    return ScheduleForm({PREFIX + key: value for key, value in values.items()}, when=again)


def read_timetable(form: ScheduleForm, schedule: Schedule | None = None) -> Timetable | None:
    """Return what the form asks for; None where something is wrong, which the form says then.

    schedule: the one that is edited. As long as nobody changes its start, that may be in the past.
    """
    times = read_times(form, schedule)
    try:
        name = checked_name(form.given("name"))
    except InvalidData as refusal:
        _refuse(form, refusal)
        name = ""
    for field, known in (("missed", MISSED), ("overlap", OVERLAPS)):
        if form.given(field) and form.given(field) not in known:
            form.refuse(PREFIX + field, f"Choose from: {', '.join(known)}.")
    if form.errors or times is None:
        return None
    return Timetable(name, times, form.given("missed") or "once", form.given("overlap") or "skip")


def read_times(form: ScheduleForm, schedule: Schedule | None = None) -> Recurrence | None:
    """Return when it is to fire; None where something is wrong, which the form says then."""
    moments = {name: _moment(form, name) for name in ("start_time", "end_time")}
    blackouts, jitter = _blackouts(form), _jitter(form)
    moment = now()
    start = moments["start_time"]
    if schedule is not None and form.given("start_time") == form_of(schedule).given("start_time"):
        start = _going_on(schedule, moment) or start
    try:
        times = checked(
            interval="future" if form.when == LATER else form.given("interval"),
            now=moment,
            zone=form.given("zone") or "UTC",
            start=start,
            end=moments["end_time"],
            cron=form.given("crontab"),
            dialect=form.given("dialect") or "nautobot",
            blackouts=blackouts,
            jitter_seconds=jitter,
        )
    except InvalidData as refusal:
        _refuse(form, refusal)
        return None
    return None if form.errors else times


def preview(form: ScheduleForm) -> Mapping[str, Any] | None:
    """Return what a reader is told of the times while they are typed; None where something is wrong."""
    times = read_times(form)
    if times is None:
        return None
    after = times.before_all
    return {
        "words": times.in_words(),
        "next": [(local_words(slot, times), slot) for slot in times.next(after, NEXT_SHOWN)],
    }


def local_words(slot: datetime, times: Recurrence) -> str:
    """Return a time on the clocks of a schedule's zone: "Thu 15 May 02:30"."""
    local = slot.astimezone(times.tz)
    year = f" {local.year}" if local.year != now().astimezone(times.tz).year else ""
    return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M:%S}".removesuffix(":00")


def _going_on(schedule: Schedule, moment: datetime) -> datetime | None:
    """Return a start that gives the times a schedule has anyway, from now on."""
    if schedule.start_at > moment:
        return None
    soon = moment + timedelta(seconds=15)
    return next(iter(recurrence_of(schedule).next(soon, 1)), None)


def _moment(form: ScheduleForm, name: str) -> datetime | None:
    text = form.given(name)
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        form.refuse(PREFIX + name, "Write a date and a time such as 2030-05-15 22:00.")
        return None


def _jitter(form: ScheduleForm) -> int:
    text = form.given("jitter") or "0"
    if text.isascii() and text.isdecimal() and len(text) < 8:
        return int(text)
    form.refuse(PREFIX + "jitter", "Write a whole number of seconds.")
    return 0


def _blackouts(form: ScheduleForm) -> tuple[Blackout, ...]:
    try:
        return read_windows(form.given("blackouts"))
    except BadBlackout as error:
        form.refuse(PREFIX + "blackouts", str(error))
        return ()


def _refuse(form: ScheduleForm, refusal: InvalidData) -> None:
    names = {check: name for name, check in FIELDS.items()}
    errors = refusal.errors if isinstance(refusal.errors, dict) else {"interval": refusal.errors}
    for check, sentences in errors.items():
        form.refuse(PREFIX + names.get(check, "interval"), " ".join(sentences))


def _local(moment: datetime, times: Recurrence) -> str:
    local = moment.astimezone(times.tz).replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if local.second else "minutes")

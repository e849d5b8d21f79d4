"""What bodies say of schedules, as the form of the pages has it: the same checks, under the keys of the body."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from jobs.data import as_given
from jobs.errors import InvalidData
from store.models import JobRecord, Schedule
from store.text import clean_text
from webapp.api.calls import Body
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.jobs import find_job
from webapp.api.shapes.schedules import INTERVALS
from webapp.database import reading
from webapp.fresh import fresh
from webapp.schedule_form import AGAIN, LATER, PREFIX, ScheduleForm, form_of, read_timetable
from worker.schedules import Timetable

IntervalName = Literal["once", "hourly", "daily", "weekly", "cron"]
DialectName = Literal["nautobot", "jobschleuder", "bots"]
MissedName = Literal["once", "skip", "all"]
OverlapName = Literal["skip", "wait", "replace", "allow"]

#: {key of a body: the input of the form}
INPUTS = {
    "name": "name",
    "interval": "interval",
    "start_at": "start_time",
    "end_at": "end_time",
    "zone": "zone",
    "cron": "crontab",
    "dialect": "dialect",
    "jitter_seconds": "jitter",
    "blackouts": "blackouts",
    "missed": "missed",
    "overlap": "overlap",
}
_INTERVALS = {said: kept for kept, said in INTERVALS.items()}

NOT_AGAIN = "Some of its inputs nobody may read but its job. Give all inputs anew."


class Times(Body):
    interval: IntervalName
    start_at: Text = Field(
        "", description="ISO 8601; without an offset on the clocks of `zone`. Needed but with cron."
    )
    end_at: Text | None = Field(None, description="No slot is after it; null: it goes on.")
    zone: Text = Field("UTC", description="The name of a time zone (IANA).")
    cron: Text = Field("", description="Of the interval cron, in `dialect`.")
    dialect: DialectName = "nautobot"
    blackouts: list[Text] = Field([], description="When nothing is to start: mon-fri 08:00-18:00.")
    jitter_seconds: int = Field(0, description="Each run starts up to so much after its slot.")


class Planned(Times):
    missed: MissedName = Field("once", description="What becomes of slots that nobody came to in time.")
    overlap: OverlapName = Field("skip", description="What becomes of a slot while an earlier run goes on.")


class NewSchedule(Planned):
    job: Text = Field(description="The id or class path of a job.")
    name: Text = Field("", description="Empty: that of the job.")
    data: dict[str, Any] = {}
    commit: bool | None = None
    queue: Text | None = None


class ChangedSchedule(Body):
    """Only what is given is changed."""

    version: int | None = Field(None, description="Do nothing (409) where it is another one by now.")
    name: Text = ""
    interval: IntervalName = "once"
    start_at: Text = ""
    end_at: Text | None = None
    zone: Text = "UTC"
    cron: Text = ""
    dialect: DialectName = "nautobot"
    blackouts: list[Text] = []
    jitter_seconds: int = 0
    missed: MissedName = "once"
    overlap: OverlapName = "skip"
    data: dict[str, Any] = Field({}, description="All inputs, in place of those that there are.")
    commit: bool | None = None
    queue: Text | None = None

    @property
    def changes_times(self) -> bool:
        return bool(self.model_fields_set & INPUTS.keys())

    @property
    def changes_inputs(self) -> bool:
        return bool(self.model_fields_set & {"data", "commit", "queue"})


def fresh_job(reference: str) -> JobRecord:
    """Return a job as its file has it now. Raises NotFound."""
    # On a session that only reads: on SQLite another one would have the write turn, which catching up needs.
    with reading() as session:
        job = fresh(lambda: find_job(reference, session))
    assert job is not None  # noqa: S101 - find_job finds one, or raises
    return job


def form_of_new(body: Times, name: str = "") -> ScheduleForm:
    return _form({**_texts(body.model_dump()), "name": clean_text(name).strip()})


def form_of_change(body: ChangedSchedule, schedule: Schedule) -> ScheduleForm:
    """Return what a schedule says, with what the body gives in place of that."""
    there = form_of(schedule)
    values = {name: there.given(name) for name in INPUTS.values()}
    given = _texts(body.model_dump(include=body.model_fields_set & INPUTS.keys()))
    if _same_moment(given.get("start_time"), schedule.start_at):
        # Written otherwise it is still the same: as long as nobody changes it, it may be in the past.
        del given["start_time"]
    return _form({**values, **given})


def timetable_of(form: ScheduleForm, schedule: Schedule | None = None) -> Timetable:
    """Raises InvalidRequest."""
    timetable = read_timetable(form, schedule)
    if timetable is None:
        raise refused(form)
    return timetable


def refused(form: ScheduleForm) -> InvalidRequest:
    keys = {PREFIX + name: key for key, name in INPUTS.items()}
    return InvalidRequest({keys[name]: [sentence] for name, sentence in form.errors.items()})


def inputs_of_change(body: ChangedSchedule, schedule: Schedule, job: JobRecord) -> dict[str, Any]:
    """Return what `worker.schedules.edit_inputs` takes: what is given, and of the rest what there is."""
    given = body.model_fields_set
    if "data" not in given and schedule.sealed_facts:
        raise InvalidRequest({"data": [NOT_AGAIN]})
    there = schedule.commit if job.asks_commit else None
    return {
        "raw": body.data if "data" in given else as_given(job.variables, schedule.data),
        "commit": body.commit if "commit" in given else there,
        "queue": body.queue if "queue" in given else schedule.queue,
    }


@contextmanager
def errors_of_inputs() -> Iterator[None]:
    """Have errors name keys of the body: "data.site", "queue"."""
    try:
        yield
    except InvalidData as refusal:
        if not isinstance(refusal.errors, Mapping):
            raise
        named = {_key(name): sentences for name, sentences in refusal.errors.items()}
        raise InvalidRequest(named) from refusal


def _key(name: str) -> str:
    return name.removeprefix("_") if name in ("_commit", "_queue") else f"data.{name}"


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    """Return of a body what the form asks for, as it would have been typed."""
    texts = {}
    for key, name in INPUTS.items():
        if key in given:
            value = given[key]
            text = "\n".join(value) if isinstance(value, list) else "" if value is None else str(value)
            texts[name] = clean_text(text).strip()
    return texts


def _form(values: Mapping[str, str]) -> ScheduleForm:
    interval = _INTERVALS.get(values["interval"], values["interval"])
    kept = {PREFIX + name: value for name, value in {**values, "interval": interval}.items()}
    return ScheduleForm(kept, when=LATER if interval == "future" else AGAIN)


def _same_moment(text: str | None, moment: datetime) -> bool:
    try:
        given = datetime.fromisoformat(text or "")
    except ValueError:
        return False
    return given.tzinfo is not None and given.astimezone(UTC).replace(microsecond=0) == moment

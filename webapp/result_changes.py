"""What changed since a job last completed: a run that did not, held against the newest earlier one that did.

Bounded, however long the logs are: some thousand entries and headings of each are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from flask import current_app
from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from store.differences import (
    LONGEST,
    Line,
    Parting,
    Stretch,
    first_difference,
    notable,
    seconds_by_grouping,
    up_to,
)
from store.models import EntryGroup, JobResult, LogEntry, Status, WorkerProcess
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.inputs import ShownInput, shown_input
from worker.origins import REHEARSALS

#: So many earlier runs of the job are searched for one that completed, and so many of those for the same inputs.
MOST_RUNS, MOST_CANDIDATES = 5_000, 20
#: Entries of each log that are compared, and how many are read at a time.
MOST_ENTRIES, PIECE = 3_000, 500
#: Headings of each log, and groupings and inputs that are told of.
MOST_HEADINGS, MOST_TOLD = 2_000, 20
#: Characters of an input that are shown.
LONGEST_INPUT = 2_000

MISSING = object()


@dataclass(frozen=True, slots=True)
class InputChange:
    """One input that differs; None: that run did not have it."""

    name: str
    before: ShownInput | None
    after: ShownInput | None
    #: Both are sealed, each in a box of its own: whether they are the same cannot be told.
    unknown: bool = False

    @property
    def label(self) -> str:
        shown = self.after or self.before
        return shown.label if shown else self.name


class Fact(NamedTuple):
    """Something else that differs, as text; "": there is none."""

    name: str
    label: str
    before: str
    after: str


@dataclass(slots=True)
class Changes:
    result: JobResult
    #: What it is compared with; None: nothing that the reader may see completed before.
    earlier: JobResult | None
    #: How that was chosen: "schedule", "inputs" or "job".
    chosen: str = "job"
    inputs: list[InputChange] = field(default_factory=list)
    more_inputs: int = 0
    #: The inputs of either may have been sensitive, and were not kept.
    inputs_unknown: bool = False
    facts: list[Fact] = field(default_factory=list)
    groupings: list[Stretch] = field(default_factory=list)
    more_groupings: int = 0
    #: How many entries are the same from the first on, and where the logs part.
    same: int = 0
    parting: Parting | None = None

    @property
    def cut(self) -> bool:
        """Whether the logs go on alike beyond what was compared."""
        return self.parting is None and self.same >= MOST_ENTRIES


def may_compare(result: JobResult) -> bool:
    return result.finished and result.status != Status.COMPLETED


def has_earlier(result: JobResult) -> bool:
    """Tell whether there is a run that `changes_of` can hold the result against."""
    if result.job_id is None:
        return False
    return any(_keys(query, 1) for query in (_of_job(result), _of_schedule(result)) if query is not None)


def changes_of(result: JobResult) -> Changes:
    """Compare the result. Whether the reader may see it is asked before."""
    earlier, chosen = _earlier(result)
    found = Changes(result, earlier, chosen)
    if earlier is None:
        return found
    _compare_inputs(found, earlier)
    found.facts = [fact for fact in _facts(earlier, result) if fact.before != fact.after]
    if result.started_at is not None:
        told = notable(_seconds(earlier), _seconds(result))
        found.groupings, found.more_groupings = told[:MOST_TOLD], max(0, len(told) - MOST_TOLD)
        found.same, found.parting = first_difference(_lines(earlier), _lines(result))
    return found


# --- What it is compared with -----------------------------------------------------------------------------------


def _earlier(result: JobResult) -> tuple[JobResult | None, str]:
    """Return the newest earlier run that completed: of the same schedule, else of the same inputs, else of the job."""
    if result.job_id is None:
        return None, ""
    of_schedule = _of_schedule(result)
    if of_schedule is not None and (found := _completed(of_schedule, 1)):
        return found[0], "schedule"
    candidates = _completed(_of_job(result), MOST_CANDIDATES)
    alike = (each for each in candidates if _same_inputs(each, result))
    if (same := next(alike, None)) is not None:
        return same, "inputs"
    return (candidates[0] if candidates else None), "job"


def _of_schedule(result: JobResult) -> Select[Any] | None:
    if result.origin != "schedule" or result.origin_id is None:
        return None
    return _of_job(result).where(JobResult.origin_id == result.origin_id)


def _of_job(result: JobResult) -> Select[Any]:
    """Select the earlier runs of the job that the reader may see."""
    chosen: Select[Any] = select(JobResult.id, JobResult.status, JobResult.created_at)  # type: ignore[assignment]
    query = visible(chosen, current_user(), JobResult)
    query = query.where(JobResult.job_id == result.job_id, JobResult.created_at < result.created_at)
    # What was only tried, or only planned, completes for less.
    return query if result.origin in REHEARSALS else query.where(JobResult.origin.not_in(REHEARSALS))


def _completed(query: Select[Any], most: int) -> Sequence[JobResult]:
    wanted = select(JobResult).where(JobResult.id.in_(_keys(query, most)))
    rows = db.session.scalars(wanted.options(joinedload(JobResult.user)))
    return sorted(rows, key=lambda row: row.created_at, reverse=True)


def _keys(query: Select[Any], most: int) -> Sequence[UUID]:
    """Return those that completed of the newest runs: a long row of failures costs no more than that."""
    newest = query.order_by(JobResult.created_at.desc()).limit(MOST_RUNS).subquery()
    completed = select(newest.c.id).where(newest.c.status == Status.COMPLETED)
    return db.session.scalars(completed.order_by(newest.c.created_at.desc()).limit(most)).all()


def _same_inputs(one: JobResult, other: JobResult) -> bool:
    return (
        one.data == other.data
        and (one.sealed_facts or {}).keys() == (other.sealed_facts or {}).keys()
        and one.commit == other.commit
    )


# --- Inputs, code, place and person -----------------------------------------------------------------------------


def _compare_inputs(found: Changes, earlier: JobResult) -> None:
    result = found.result
    found.inputs_unknown = any(
        run.sensitive and not run.data and not run.sealed_facts for run in (earlier, result)
    )
    order = [variable["name"] for variable in (result.job.variables if result.job else [])]
    given = _given(earlier).keys() | _given(result).keys()
    names = [name for name in order if name in given] + sorted(given - set(order))
    differing = [
        name for name in names if _given(earlier).get(name, MISSING) != _given(result).get(name, MISSING)
    ]
    found.more_inputs = max(0, len(differing) - MOST_TOLD)
    with current_app.extensions["errand"].data.session() as data:

        def shown(name: str, run: JobResult) -> ShownInput | None:
            return _cut(shown_input(name, run, result.job, data)) if name in _given(run) else None

        found.inputs = [
            InputChange(name, shown(name, earlier), shown(name, result), _cannot_tell(name, earlier, result))
            for name in differing[:MOST_TOLD]
        ]


def _given(run: JobResult) -> dict[str, Any]:
    """Return what is compared of each input: its value, of a sealed one what may be told of it."""
    return {**run.data, **{name: ("sealed", fact) for name, fact in (run.sealed_facts or {}).items()}}


def _cannot_tell(name: str, earlier: JobResult, result: JobResult) -> bool:
    one, other = ((run.sealed_facts or {}).get(name) for run in (earlier, result))
    if one is None or other is None:
        return False
    return "empty" not in one and "empty" not in other and one.get("length") == other.get("length")


def _cut(shown: ShownInput) -> ShownInput:
    if len(shown.text) > LONGEST_INPUT:
        shown.text = shown.text[:LONGEST_INPUT] + "…"
    return shown


def _facts(earlier: JobResult, result: JobResult) -> list[Fact]:
    versions = _versions([earlier, result])

    def fact(name: str, label: str, value: Any) -> Fact:
        return Fact(name, label, str(value(earlier) or ""), str(value(result) or ""))

    found = [
        fact("commit", "Commit", lambda run: "Dry run" if run.dry_run else "Commit"),
        fact("code_digest", "Code of the job’s file", lambda run: run.code_digest),
        fact("code_commit", "Code, git commit", lambda run: run.code_commit),
        fact("source_digest", "Files beside it", lambda run: run.source_digest),
        fact("queue", "Queue", lambda run: run.queue),
        # Not which of its workers: their names are others after each restart.
        fact("worker_host", "Host", lambda run: run.worker_host),
        fact("worker_version", "Version of the worker", lambda run: versions.get(run.id)),
        fact("user", "Who asked", lambda run: run.shown_username),
        fact("origin", "What asked", lambda run: f"{run.origin} {run.origin_name}".strip() or "a person"),
        fact("time_limit", "Time limit in seconds", lambda run: f"{run.time_limit:g}"),
        fact("attempt", "Attempts", lambda run: run.tries),
    ]
    # One that never began ran no code anywhere.
    began = result.started_at is not None
    places = ("code_digest", "code_commit", "source_digest", "worker_host", "worker_version")
    return [each for each in found if began or each.name not in (*places, "attempt")]


def _versions(runs: Sequence[JobResult]) -> dict[Any, str]:
    """Return the versions of the workers that are still known, and were there when the run began."""
    names = [run.worker for run in runs if run.worker]
    rows = db.session.execute(
        select(WorkerProcess.name, WorkerProcess.version, WorkerProcess.created_at).where(
            WorkerProcess.name.in_(names)
        )
    )
    known = {name: (version, since) for name, version, since in rows}
    found = {
        run.id: known[run.worker][0]
        for run in runs
        if run.worker in known and run.started_at and known[run.worker][1] <= run.started_at
    }
    # Of one alone, nothing can be said to differ.
    return found if len(found) == len(runs) else {}


# --- The logs ---------------------------------------------------------------------------------------------------


def _seconds(run: JobResult) -> dict[str, float]:
    query = select(EntryGroup.name, EntryGroup.started_at).where(EntryGroup.result_id == run.id)
    rows = db.session.execute(query.order_by(EntryGroup.first_seq).limit(MOST_HEADINGS)).all()
    until = rows[-1].started_at if len(rows) == MOST_HEADINGS else run.finished_at
    return seconds_by_grouping([(name, started_at) for name, started_at in rows], until)


def _lines(run: JobResult) -> Any:
    message = func.substr(LogEntry.message, 1, LONGEST)
    columns: list[Any] = [LogEntry.seq, LogEntry.level, LogEntry.grouping, message, LogEntry.object_text]

    def read(after: int) -> list[Line]:
        query = select(*columns).where(LogEntry.result_id == run.id, LogEntry.seq > after)
        return [Line(*row) for row in db.session.execute(query.order_by(LogEntry.seq).limit(PIECE))]

    return up_to(MOST_ENTRIES, read)
